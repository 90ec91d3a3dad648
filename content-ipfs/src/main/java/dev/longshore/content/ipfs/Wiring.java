package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.content.ipfs.Upstream.Source;
import dev.longshore.content.ipfs.kubo.KuboNode;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How the program is put together; read it from top to bottom. */
final class Wiring {

    private static final Logger log = LoggerFactory.getLogger(Wiring.class);

    /** For a node to say who it is when the program starts. */
    private static final Duration GREETING = Duration.ofSeconds(5);

    private final Config config;
    private final Traffic traffic = new Traffic();
    private final Optional<KuboNode> node;
    private final Optional<GatewaySource> gateway;
    private final IpfsContentStore store;

    Wiring(Config config) throws IOException {
        this.config = config;
        this.node = config.api().map(KuboNode::new);
        node.ifPresent(Wiring::greet);
        this.gateway = config.gateway().map(GatewaySource::new);
        // A node looks for a block as long as it may; a gateway says at once that it does not have it.
        List<Source> sources = Stream.concat(
                        gateway.stream().map(source -> new Source(source.name(), Origin.GATEWAY, source)),
                        node.stream().map(source -> new Source(source.toString(), Origin.NODE, source)))
                .toList();
        this.store = new IpfsContentStore(
                config.root(),
                new Upstream(sources, config.blockTimeout(), traffic),
                node.map(kept -> new NodeCopies(kept, config.blockTimeout())),
                traffic,
                Clock.systemUTC());
    }

    /** One that is away now may come: until then nothing can be stored. */
    private static void greet(KuboNode node) {
        try {
            KuboNode.Identity identity = node.identity(Deadline.after(GREETING));
            log.atInfo()
                    .addKeyValue("node", node)
                    .addKeyValue("peer", identity.id())
                    .addKeyValue("agent", identity.agent())
                    .log("blobs are kept in an IPFS node, too");
        } catch (IOException e) {
            log.atWarn().addKeyValue("err", e.getMessage()).log("the IPFS node does not answer");
        }
    }

    /** Serves until the process is told to end. */
    void serve() throws IOException, InterruptedException {
        Optional<GatewayServer> peers = Optional.empty();
        try {
            if (config.serveGateway().isPresent()) {
                peers = Optional.of(new GatewayServer(config.serveGateway().get(), store.localBlocks(), traffic));
            }
            PluginServer.serve(config.serve(), new IpfsMetrics(traffic), Backend.of(store));
        } finally {
            peers.ifPresent(GatewayServer::close);
            gateway.ifPresent(GatewaySource::close);
            node.ifPresent(KuboNode::close);
        }
    }
}
