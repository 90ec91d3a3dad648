package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Containers whose layers are read from content stores as they are needed. */
class LazyContentIT {

    /** Nothing but what is read, and reads fail soon when nobody answers. */
    private static final String QUIET = "no_background_fetch = true\n[blob]\n  fetching_timeout_sec = 5\n";

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init") // made before each test
    private LazyImages images;

    private final List<AutoCloseable> open = new ArrayList<>();

    @BeforeEach
    void make() throws IOException {
        images = LazyImages.make(folder);
        open.add(images);
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private <T extends AutoCloseable> T closed(T resource) {
        open.add(resource);
        return resource;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static long bytesIn(Path folder) {
        return Long.parseLong(Programs.run(List.of("du", "-s", "--block-size=1", folder.toString()))
                .ok()
                .out()
                .split("\\s", 2)[0]);
    }

    private void checkSum(Ran ran, String file) {
        assertThat(ran.ok().out())
                .startsWith(Programs.run(
                                List.of("sha256sum", images.bulk().resolve(file).toString()))
                        .ok()
                        .out()
                        .substring(0, 64));
    }

    private static Ran sum(Suite suite, String snapshotter, String image, String file) {
        return suite.longshore("run", "--rm", "--snapshotter", snapshotter, image, "sha256sum", "/bulk/" + file);
    }

    @Test
    void imageInIpfsStartsBeforeItIsHereAndNoRegistryIsThere() throws IOException {
        int port = freePort();
        Suite from = closed(Suite.upWithIpfs("--serve-gateway 127.0.0.1:" + port));
        from.longshore("pull", "--plain-http", images.name("esgz")).ok();
        String image = "ipfs://"
                + from.longshore("image", "push-ipfs", images.name("esgz"))
                        .ok()
                        .out()
                        .strip();
        images.stopRegistry();

        Suite to = closed(Suite.upWithIpfsAndStargz(
                "--gateway http://127.0.0.1:%d --block-timeout 5".formatted(port),
                QUIET + "[content.ipfs]\n  address = \"@RUN@/ipfs.sock\"\n"));
        to.longshore("pull", "--snapshotter", "stargz", image).ok();
        checkSum(sum(to, "stargz", image, "small-7"), "small-7");
        Path store = to.root().resolve("lib/ipfs");
        assertThat(bytesIn(store)).isPositive().isLessThan(images.bulkBytes() * 15 / 100);
        assertThat(to.longshore("image", "lazy", image).ok().out()).contains("yes");

        // Where nobody is lazy all of it comes.
        to.longshore("pull", "--snapshotter", "overlayfs", image).ok();
        assertThat(bytesIn(store)).isGreaterThan(images.bulkBytes());
        checkSum(sum(to, "overlayfs", image, "large"), "large");
        checkSum(sum(to, "stargz", image, "large"), "large");
    }

    @Test
    void layerThatTheDaemonHasIsNotAskedOfTheRegistryUntilItIsGone() {
        Suite suite = closed(Suite.upWithStargz(
                QUIET + "[content.daemon]\n  address = \"@RUN@/longshore.sock\"\n  namespace = \"default\"\n"));
        suite.longshore("pull", "--plain-http", "--snapshotter", "overlayfs", images.name("esgz"))
                .ok();
        long sent = images.sent();
        suite.longshore("pull", "--plain-http", "--snapshotter", "stargz", images.name("esgz"))
                .ok();
        String[] run = {
            "run", "--detach", "--name", "reader", "--snapshotter", "stargz", images.name("esgz"), "sleep", "1000"
        };
        suite.longshore(run).ok();
        checkSum(suite.exec("reader", "sha256sum", "/bulk/small-3"), "small-3");
        assertThat(images.sent()).isEqualTo(sent);
        assertThat(suite.longshore("image", "lazy", images.name("esgz")).ok().out())
                .contains("yes");

        // What the daemon has no more comes from the registry.
        for (String digest : suite.ctr("content", "ls", "-q").ok().lines()) {
            suite.ctr("content", "rm", digest).ok();
        }
        checkSum(suite.exec("reader", "sha256sum", "/bulk/small-9"), "small-9");
        assertThat(images.sent()).isGreaterThan(sent);
    }

    @Test
    void layerThatStockContainerdHasIsReadFromThere() {
        Suite suite = closed(Suite.upWithStargz(QUIET
                + "[content.stock]\n  address = \"%s\"\n  namespace = \"default\"\n".formatted(images.containerd())));
        long sent = images.sent();
        suite.longshore("pull", "--plain-http", "--snapshotter", "stargz", images.name("esgz"))
                .ok();
        checkSum(sum(suite, "stargz", images.name("esgz"), "small-5"), "small-5");
        assertThat(images.sent() - sent).as("the configuration, and no layer").isLessThan(10_000);
    }
}
