package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.kubo.KuboDaemon;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The contract with copies in a real node. */
final class NodeContentStoreIT extends ContentStoreContract {

    @TempDir
    private static Path folder;

    private static Optional<KuboDaemon> node = Optional.empty();

    @BeforeAll
    static void startNode() throws Exception {
        node = Optional.of(KuboDaemon.start(NodeStores.program(), folder.resolve("node")));
    }

    @AfterAll
    static void stopNode() throws Exception {
        if (node.isPresent()) {
            node.get().close();
        }
    }

    @Override
    protected ContentStore open(Path root) throws Exception {
        return NodeStores.open(root, node.orElseThrow().api());
    }

    @Override
    protected boolean keepsLabels() {
        return false;
    }
}
