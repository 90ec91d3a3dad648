package dev.longshore.content.ipfs;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.content.ipfs.Upstream.Source;
import dev.longshore.content.ipfs.kubo.ApiAddress;
import dev.longshore.content.ipfs.kubo.KuboDaemon;
import dev.longshore.content.ipfs.kubo.KuboNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Stores with copies in a real node. */
final class NodeStores {

    private static final Duration BLOCK_TIMEOUT = Duration.ofSeconds(10);

    private NodeStores() {}

    /** Skips the test where there is no such program. */
    static Path program() {
        Optional<Path> program = KuboDaemon.program();
        assumeTrue(
                program.isPresent(),
                "skipped: there is no ipfs in PATH, and " + KuboDaemon.VARIABLE + " does not name one");
        return program.orElseThrow();
    }

    static IpfsContentStore open(Path root, ApiAddress api) throws IOException {
        KuboNode node = new KuboNode(api);
        Traffic traffic = new Traffic();
        return new IpfsContentStore(
                root,
                new Upstream(List.of(new Source(node.toString(), Origin.NODE, node)), BLOCK_TIMEOUT, traffic),
                Optional.of(new NodeCopies(node, BLOCK_TIMEOUT)),
                traffic,
                Clock.systemUTC());
    }
}
