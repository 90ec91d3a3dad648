package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images that one daemon has from another through IPFS. There is no registry. */
class IpfsPullIT {

    private static final String IMAGE = "longshore.dev/it/ipfs:1";

    private static final String PUBLISHED = "longshore.dev/it/published:1";

    /** Well-formed, and nobody's. */
    private static final String NOWHERE = "bafkreib5vlyjtkoz3d5gpzwbpqtyvpxhl4nlpqvvkgaalvbbn2sk7jiolm";

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private Suite up(String contentFlags) {
        Suite suite = Suite.upWithIpfs(contentFlags);
        open.add(suite);
        return suite;
    }

    private IpfsNode node(String name) {
        IpfsNode node = IpfsNode.start(folder.resolve(name));
        open.add(node);
        return node;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static String publish(Suite suite) {
        suite.importBusybox(IMAGE);
        String cid = suite.longshore("image", "push-ipfs", IMAGE).ok().out().strip();
        assertThat(cid).matches("bafkrei[a-z2-7]{52}");
        assertThat(suite.longshore("image", "push-ipfs", IMAGE).ok().out().strip())
                .as("of the same image, pushed again")
                .isEqualTo(cid);
        return cid;
    }

    private static void pullAndRun(Suite suite, String cid) {
        suite.longshore("pull", "ipfs://" + cid).ok();
        assertThat(suite.longshore("run", "--rm", "ipfs://" + cid, "echo", "from a peer")
                        .ok()
                        .out())
                .contains("from a peer");
    }

    @Test
    void imageComesFromANodeThatIsConnectedToOurs() {
        IpfsNode first = node("first");
        IpfsNode second = node("second");
        second.connect(first);
        Suite from = up("--api " + first.api());
        String cid = publish(from);
        assertThat(first.run("cat", cid).ok().out()).contains("\"urls\":[\"ipfs://baf");

        Suite to = up("--api " + second.api());
        pullAndRun(to, cid);
        // What was pulled is the second node's as well: it gives on what it has, the first one being gone.
        first.close();
        open.remove(first);
        assertThat(second.run("repo", "gc", "-q").exit()).isZero();
        assertThat(second.run("pin", "ls", "--type=recursive", "-q").ok().lines())
                .contains(cid);
        to.longshore("image", "rm", "ipfs://" + cid).ok();
        assertThat(second.run("pin", "ls", "--type=recursive", "-q").ok().lines())
                .doesNotContain(cid);
    }

    @Test
    void imageComesFromThePeersOwnGateway() throws IOException {
        int port = freePort();
        Suite from = up("--serve-gateway 127.0.0.1:" + port);
        String cid = publish(from);
        Suite to = up("--gateway http://127.0.0.1:%d --block-timeout 5".formatted(port));
        pullAndRun(to, cid);

        to.longshore("pull", "ipfs://" + NOWHERE).failedWith(NOWHERE);
        to.longshore("pull", "ipfs://no-cid").failedWith("no CID");
        whatARegistryLacksComesFromThePeer(from, to, cid);
    }

    private void whatARegistryLacksComesFromThePeer(Suite from, Suite to, String cid) throws IOException {
        Path archive = folder.resolve("image.tar");
        // ctr exports no image that has such a name.
        from.ctr("images", "tag", "ipfs://" + cid, PUBLISHED).ok();
        from.ctr("images", "export", archive.toString(), PUBLISHED).ok();
        Path layout = Files.createDirectories(folder.resolve("layout"));
        Programs.run(List.of("tar", "-C", layout.toString(), "-xf", archive.toString()))
                .ok();
        try (Stream<Path> blobs = Files.list(layout.resolve("blobs/sha256"))) {
            Files.delete(
                    blobs.max(Comparator.comparingLong(blob -> blob.toFile().length()))
                            .orElseThrow());
        }
        to.longshore("image", "rm", "ipfs://" + cid).ok();
        try (PlainRegistry registry = new PlainRegistry(layout)) {
            String name = registry.host() + "/app:1";
            to.longshore("pull", "--plain-http", name).ok();
            assertThat(to.longshore("run", "--rm", name, "echo", "from both")
                            .ok()
                            .out())
                    .contains("from both");
        }
    }

    @Test
    void daemonWithAnotherStoreSaysWhatToConfigure() {
        Suite suite = Suite.up();
        open.add(suite);
        suite.importBusybox(IMAGE);
        suite.longshore("image", "push-ipfs", IMAGE).failedWith("longshore-content-ipfs as [proxy_plugins.ipfs]");
        suite.longshore("pull", "ipfs://" + NOWHERE).failedWith("content store content cannot fetch ipfs://" + NOWHERE);
    }
}
