package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.content.ipfs.Upstream.Source;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import java.io.IOException;
import java.time.Clock;
import java.util.List;
import java.util.Optional;

/** How the program is put together; read it from top to bottom. */
final class Wiring {

    private final Config config;
    private final Traffic traffic = new Traffic();
    private final Optional<GatewaySource> gateway;
    private final IpfsContentStore store;

    Wiring(Config config) throws IOException {
        this.config = config;
        this.gateway = config.gateway().map(GatewaySource::new);
        List<Source> sources = gateway.stream()
                .map(source -> new Source(source.name(), Origin.GATEWAY, source))
                .toList();
        this.store = new IpfsContentStore(
                config.root(), new Upstream(sources, config.blockTimeout(), traffic), traffic, Clock.systemUTC());
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
        }
    }
}
