package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Containers from images whose content is in IPFS: under our daemon, and under the containerd that others wrote. */
class ContentIpfsIT {

    private static final String IMAGE = "longshore.dev/it/ipfs:1";

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private static long packs(Path root) throws IOException {
        try (Stream<Path> packs = Files.list(root.resolve("packs"))) {
            return packs.count();
        }
    }

    @Test
    void ourDaemonRunsAContainerFromIt() throws IOException {
        Suite suite = Suite.upWithIpfs("");
        open.add(suite);
        suite.importBusybox(IMAGE);
        assertThat(suite.longshore("run", "--rm", IMAGE, "echo", "from IPFS")
                        .ok()
                        .out())
                .contains("from IPFS");
        assertThat(packs(suite.root().resolve("lib/ipfs")))
                .as("a layer, a configuration, a manifest, an index")
                .isBetween(3L, 4L);
        assertThat(suite.root().resolve("lib/daemon/io.containerd.content.v1.content/blobs/sha256"))
                .doesNotExist();
        assertThat(suite.ctr("content", "ls").ok().out()).contains("longshore.dev/ipfs.cid=baf");
        suite.ctr("images", "rm", "--sync", IMAGE).ok();
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() ->
                        assertThat(packs(suite.root().resolve("lib/ipfs"))).isZero());
    }

    @Test
    void stockContainerdRunsAContainerFromItWithItsOwnStoreDisabled() throws IOException {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox", "containerd");
        Path socket = folder.resolve("ipfs.sock");
        Path content = folder.resolve("ipfs");
        open.add(Running.start(List.of(
                Suite.distribution().resolve("bin/longshore-content-ipfs").toString(),
                "--address",
                socket.toString(),
                "--root",
                content.toString())));
        await().atMost(Programs.PATIENCE).until(() -> Files.exists(socket));
        Path root = Files.createDirectories(folder.resolve("stock"));
        Path address = root.resolve("containerd.sock");
        StockContainerd stock = new StockContainerd(root, address, "containerd", List.of(), List.of(), false);
        stock.disable("io.containerd.content.v1.content");
        stock.configure("[proxy_plugins.ipfs]\ntype = \"content\"\naddress = \"%s\"\n".formatted(socket));
        stock.start();
        open.add(stock);
        List<String> ctr = List.of("ctr", "--address", address.toString());
        await().atMost(Programs.PATIENCE).until(() -> run(ctr, "version").exit() == 0);
        run(ctr, "images", "import", TestImage.busybox(IMAGE).toString()).ok();
        assertThat(run(ctr, "run", "--rm", IMAGE, "ipfs-it", "echo", "from IPFS")
                        .ok()
                        .out())
                .contains("from IPFS");
        assertThat(packs(content)).isBetween(3L, 4L);
        assertThat(root.resolve("lib/io.containerd.content.v1.content")).doesNotExist();
        run(ctr, "images", "rm", "--sync", IMAGE).ok();
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() -> assertThat(packs(content)).isZero());
    }

    private static Ran run(List<String> ctr, String... arguments) {
        List<String> command = new ArrayList<>(ctr);
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }
}
