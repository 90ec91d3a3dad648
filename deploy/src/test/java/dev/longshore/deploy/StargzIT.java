package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Containers that start before their image is here: under our daemon, and under the containerd that others wrote. */
class StargzIT {

    /** Nothing but what is read, and reads fail soon when the registry is away. */
    private static final String QUIET = "no_background_fetch = true\n[blob]\n  fetching_timeout_sec = 2\n";

    private static final int READERS = 10;
    private static final int ROUNDS = Integer.parseInt(System.getenv().getOrDefault("LONGSHORE_TEST_ROUNDS", "4"));

    @TempDir
    private static Path shared;

    @SuppressWarnings("NullAway.Init") // made before the tests
    private static LazyImages images;

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();

    @BeforeAll
    static void make() throws IOException {
        images = LazyImages.make(shared);
        try (Suite suite = Suite.upWithStargz(QUIET)) {
            suite.longshore("pull", images.name("plain")).ok();
            suite.longshore("image", "convert", "--estargz", images.name("plain"), images.name("ours"))
                    .ok();
            suite.longshore("push", images.name("ours")).ok();
        }
    }

    @AfterAll
    static void closeImages() {
        images.close();
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private Suite up() {
        Suite suite = Suite.upWithStargz(QUIET);
        open.add(suite);
        return suite;
    }

    private static void pull(Suite suite, String name) {
        suite.longshore("pull", "--snapshotter", "stargz", name).ok();
    }

    /** 15 % of the image are the limit of what may come before the container's first output. */
    private static void checkLittleCame(long before, long wholes) {
        assertThat(images.sent() - before).isPositive().isLessThan(images.bulkBytes() * 15 / 100);
        assertThat(images.wholes() - wholes)
                .as("the configuration, and no layer")
                .isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"esgz", "ours"})
    void containerStartsBeforeItsImageIsHere(String tag) {
        Suite suite = up();
        long sent = images.sent();
        long wholes = images.wholes();
        pull(suite, images.name(tag));
        Ran ran = suite.longshore(
                        "run", "--rm", "--snapshotter", "stargz", images.name(tag), "sha256sum", "/bulk/small-7")
                .ok();
        checkLittleCame(sent, wholes);
        String right = Programs.run(
                        List.of("sha256sum", images.bulk().resolve("small-7").toString()))
                .ok()
                .out();
        assertThat(ran.out()).startsWith(right.substring(0, 64));
    }

    @ParameterizedTest
    @ValueSource(strings = {"esgz", "ours"})
    void stockContainerdStartsItsContainersTheSameWay(String tag) throws IOException {
        Path socket = folder.resolve("stargz.sock");
        Path config = folder.resolve("stargz.toml");
        Files.writeString(config, QUIET);
        Running snapshotter = Running.start(List.of(
                Suite.distribution().resolve("bin/longshore-snapshotter-stargz").toString(),
                "--address",
                socket.toString(),
                "--root",
                folder.resolve("stargz").toString(),
                "--config",
                config.toString()));
        open.add(snapshotter);
        await().atMost(Programs.PATIENCE).until(() -> Files.exists(socket));
        Path root = Files.createDirectories(folder.resolve("stock"));
        Path address = root.resolve("containerd.sock");
        StockContainerd stock = new StockContainerd(root, address, "containerd", List.of(), List.of(), false);
        stock.configure("[proxy_plugins.stargz]\ntype = \"snapshot\"\naddress = \"%s\"\n".formatted(socket));
        stock.start();
        open.add(stock);
        List<String> ctr = List.of("ctr-remote", "--address", address.toString());
        await().atMost(Programs.PATIENCE)
                .until(() -> Programs.run(with(ctr, "version")).exit() == 0);
        // containerd gives a connection to a plugin a second at first, and a JVM that has just begun may need more.
        await().atMost(Programs.PATIENCE)
                .until(() -> Programs.run(with(ctr, "snapshots", "--snapshotter", "stargz", "ls"))
                                .exit()
                        == 0);

        long sent = images.sent();
        long wholes = images.wholes();
        Programs.run(with(ctr, "images", "rpull", "--plain-http", images.name(tag)))
                .ok();
        Ran ran = Programs.run(with(
                        ctr,
                        "run",
                        "--rm",
                        "--snapshotter=stargz",
                        images.name(tag),
                        "stargz-it",
                        "sha256sum",
                        "/bulk/small-3"))
                .ok();
        checkLittleCame(sent, wholes);
        assertThat(ran.out()).startsWith(sum("small-3"));
        Programs.run(with(ctr, "images", "rm", "--sync", images.name(tag))).ok();
        await().atMost(Programs.PATIENCE)
                .until(() -> mounted(folder.resolve("stargz")).isEmpty());
    }

    private static List<String> with(List<String> command, String... arguments) {
        List<String> all = new ArrayList<>(command);
        all.addAll(List.of(arguments));
        return all;
    }

    private static String sum(String file) {
        return Programs.run(List.of("sha256sum", images.bulk().resolve(file).toString()))
                .ok()
                .out()
                .substring(0, 64);
    }

    private static List<String> mounted(Path below) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mounts")).stream()
                .filter(line -> line.contains(" " + below + "/"))
                .toList();
    }

    @Test
    void ordinaryImageIsUnpackedAndSaysWhy() {
        Suite suite = up();
        pull(suite, images.name("plain"));
        assertThat(suite.longshore(
                                "run",
                                "--rm",
                                "--snapshotter",
                                "stargz",
                                images.name("plain"),
                                "sha256sum",
                                "/bulk/small-5")
                        .ok()
                        .out())
                .startsWith(sum("small-5"));
        assertThat(suite.longshore("image", "lazy", images.name("plain")).ok().out())
                .contains("no")
                .contains("the layer has no digest of a table of contents");
    }

    /** With a container {@code reader} on the lazy image, in which something can be run. */
    private Suite upWithReader() {
        Suite suite = up();
        pull(suite, images.name("esgz"));
        suite.longshore(
                        "run",
                        "--detach",
                        "--name",
                        "reader",
                        "--snapshotter",
                        "stargz",
                        images.name("esgz"),
                        "sleep",
                        "1000")
                .ok();
        return suite;
    }

    @Test
    void whatIsReadSurvivesTheSnapshotter() {
        Suite suite = upWithReader();
        assertThat(suite.exec("reader", "sha256sum", "/bulk/small-1").ok().out())
                .startsWith(sum("small-1"));

        suite.kill("longshore-snapshotter-stargz");
        try (Running blocked = Running.start(
                suite.ctrCommand("tasks", "exec", "--exec-id", "blocked", "reader", "sha256sum", "/bulk/large"))) {
            suite.start();
            blocked.awaitSaid(sum("large"));
            assertThat(blocked.awaitExit()).isZero();
        }
        assertThat(suite.exec("reader", "sha256sum", "/bulk/small-2").ok().out())
                .startsWith(sum("small-2"));
    }

    /** Ten at a time read past the kernel's memory, and compare; each says so after every file. */
    private static String readers() {
        StringBuilder script = new StringBuilder();
        for (int i = 0; i < READERS; i++) {
            script.append("""
                    (while [ ! -e /stop ]; do
                      sum=$(dd if=/bulk/small-%1$d iflag=direct bs=1M 2>/dev/null | sha256sum)
                      if [ "${sum%%%%  *}" = %2$s ]; then echo right; else echo "wrong %1$d $sum"; fi
                    done) &
                    """.formatted(i, sum("small-" + i)));
        }
        return script + "wait";
    }

    private static long count(Running readers) {
        String said = readers.said();
        assertThat(said).doesNotContain("wrong");
        return said.lines().filter("right"::equals).count();
    }

    @Test
    void readersInAContainerGetEveryByteHoweverOftenTheSnapshotterIsKilled() {
        Suite suite = upWithReader();
        List<Long> waits = new ArrayList<>();
        Random random = new Random(6);
        try (Running readers = Running.start(
                suite.ctrCommand("tasks", "exec", "--exec-id", "readers", "reader", "sh", "-c", readers()))) {
            for (int round = 0; round < ROUNDS; round++) {
                long goal = count(readers) + 20 + random.nextInt(100);
                await().atMost(Programs.PATIENCE).until(() -> count(readers) >= goal);
                suite.kill("longshore-snapshotter-stargz");
                long before = count(readers);
                long begin = System.nanoTime();
                suite.start();
                // Those that were just done when it was killed may say so a moment later.
                await().pollInterval(Duration.ofMillis(5))
                        .atMost(Programs.PATIENCE)
                        .until(() -> count(readers) > before + READERS);
                waits.add((System.nanoTime() - begin) / 1_000_000);
            }
            suite.exec("reader", "touch", "/stop").ok();
            assertThat(readers.awaitExit()).isZero();
            assertThat(count(readers)).isPositive();
        }
        System.out.println("from the restart of the program to reads that go on, ms: " + waits);
    }

    @Test
    void whatIsHereIsServedWhenTheRegistryIsGone() throws IOException {
        LazyImages own = LazyImages.make(folder);
        open.add(own);
        Suite suite = up();
        pull(suite, own.name("esgz"));
        suite.longshore(
                        "run",
                        "--detach",
                        "--name",
                        "reader",
                        "--snapshotter",
                        "stargz",
                        own.name("esgz"),
                        "sleep",
                        "1000")
                .ok();
        assertThat(suite.exec("reader", "sha256sum", "/bulk/small-1").ok().out())
                .startsWith(sum("small-1"));
        own.stopRegistry();
        // No registry is needed to begin again.
        suite.kill("longshore-snapshotter-stargz");
        suite.start();
        // Not out of the kernel's memory.
        String direct = "dd if=/bulk/small-1 iflag=direct bs=1M 2>/dev/null | sha256sum";
        assertThat(suite.exec("reader", "sh", "-c", direct).ok().out()).startsWith(sum("small-1"));
        Ran away = suite.exec("reader", "cat", "/bulk/small-20");
        assertThat(away.exit()).isNotZero();
        assertThat(away.err() + away.out()).containsIgnoringCase("/output error");
        assertThat(suite.exec("reader", "sha256sum", "/bulk/small-1").ok().out())
                .startsWith(sum("small-1"));
    }
}
