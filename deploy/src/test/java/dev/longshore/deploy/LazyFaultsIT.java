package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.deploy.FaultyRegistry.Mood;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.linux.MountCalls;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Layers that mean harm, registries that do not keep their word, and machines that have run out of something: under the real programs. */
class LazyFaultsIT {

    private static final String PROGRAM = "longshore-snapshotter-stargz";

    /** Nothing but what is read, and reads fail soon when the registry is away. */
    private static final String QUIET = "no_background_fetch = true\n[blob]\n  fetching_timeout_sec = 3\n";

    private static final int SIZE = 1 << 20;

    private final List<AutoCloseable> open = new ArrayList<>();

    /** For what harms no more than one image. */
    @SuppressWarnings("NullAway.Init") // made before the tests
    private static Suite shared;

    @SuppressWarnings("NullAway.Init") // made before each test
    private FaultyRegistry registry;

    /** How much the program had logged before the test. */
    private int logged;

    @BeforeAll
    static void upShared() {
        Programs.need("busybox");
        shared = Suite.upWithStargz(QUIET);
    }

    @AfterAll
    static void downShared() {
        shared.close();
    }

    @BeforeEach
    void begin() throws IOException {
        registry = new FaultyRegistry();
        open.add(registry);
        logged = shared.log(PROGRAM).length();
    }

    @AfterEach
    void close() throws Exception {
        clear(shared);
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private static void clear(Suite suite) {
        suite.removeContainers();
        for (String image : suite.ctr("images", "ls", "-q").ok().lines()) {
            suite.ctr("images", "rm", "--sync", image).ok();
        }
    }

    /** What the program has said since the test began. */
    private String said(Suite suite) {
        return suite.log(PROGRAM).substring(suite == shared ? logged : 0);
    }

    /** For what harms the program, or the machine. */
    private Suite up() {
        Suite suite = Suite.upWithStargz(QUIET);
        open.add(suite);
        return suite;
    }

    private static byte[] random(int seed) {
        byte[] bytes = new byte[SIZE];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static String sum(byte[] bytes) {
        return Digest.sha256(bytes).hex();
    }

    /** A file that nobody has fetched ahead who has only read the first. */
    private static final int FAR = 11;

    private static LazyLayer layer() throws IOException {
        return layer(4);
    }

    private static LazyLayer largeLayer() throws IOException {
        return layer(FAR + 1);
    }

    /** busybox, a file of one byte and {@code count} of a mebibyte that no compression makes smaller. */
    private static LazyLayer layer(int count) throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("busybox", Files.readAllBytes(Programs.which("busybox")));
        files.put("kept", "k".getBytes(StandardCharsets.US_ASCII));
        for (int i = 0; i < count; i++) {
            files.put("file-" + i, random(i));
        }
        return LazyLayer.of(files, List.of("busybox"));
    }

    private static Ran run(Suite suite, String image, String... command) {
        List<String> arguments = new ArrayList<>(List.of("run", "--rm", "--snapshotter", "stargz", image, "/busybox"));
        arguments.addAll(List.of(command));
        return suite.longshore(arguments.toArray(String[]::new));
    }

    private static void pull(Suite suite, String image) {
        suite.longshore("pull", "--snapshotter", "stargz", image).ok();
    }

    /** A container in which something can be read. */
    private static void begin(Suite suite, String image) {
        suite.longshore(
                        "run",
                        "--detach",
                        "--name",
                        "reader",
                        "--snapshotter",
                        "stargz",
                        image,
                        "/busybox",
                        "sleep",
                        "1000")
                .ok();
    }

    private static String reader(Suite suite, String image) {
        pull(suite, image);
        begin(suite, image);
        assertThat(suite.longshore("image", "lazy", image).ok().out()).contains("yes");
        return "reader";
    }

    /** Reads past the kernel's own copy. */
    private static Ran read(Suite suite, String file) {
        return suite.exec("reader", "/busybox", "dd", "if=" + file, "bs=1M", "iflag=direct", "of=/copy");
    }

    private static void checkReads(Suite suite, int file) {
        read(suite, "/file-" + file).ok();
        assertThat(suite.exec("reader", "/busybox", "sha256sum", "/copy").ok().out())
                .startsWith(sum(random(file)));
    }

    private void checkFails(Suite suite, int file, LazyLayer layer) {
        read(suite, "/file-" + file).failedWith("/output error");
        // It is said once the read is answered.
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() -> assertThat(said(suite))
                        .contains("EIO")
                        .contains(layer.digest().toString()));
    }

    // --- layers

    private static final String TIME = "\"modtime\":\"2020-01-01T00:00:00Z\"";

    private static final int MANY = 10_000_000;

    /** Each entry is as long as the others. */
    private static LazyLayer manyEntries() throws IOException {
        String begin = "{\"version\":1,\"entries\":[{\"name\":\"d\",\"type\":\"dir\"}";
        String one = ",{\"name\":\"d/00000000\",\"type\":\"dir\"}";
        return layer().withToc(begin.length() + (long) one.length() * MANY + 2, out -> {
            out.write(begin.getBytes(StandardCharsets.US_ASCII));
            byte[] entry = one.getBytes(StandardCharsets.US_ASCII);
            int at = one.indexOf('0');
            for (int i = 0; i < MANY; i++) {
                for (int digit = 7, rest = i; digit >= 0; digit--, rest /= 10) {
                    entry[at + digit] = (byte) ('0' + rest % 10);
                }
                out.write(entry);
            }
            out.write(new byte[] {']', '}'});
        });
    }

    private static LazyLayer bomb() throws IOException {
        String toc = layer().toc();
        int mebibytes = 600;
        byte[] blanks = " ".repeat(1 << 20).getBytes(StandardCharsets.US_ASCII);
        byte[] begin = toc.substring(0, toc.length() - 1).getBytes(StandardCharsets.UTF_8);
        return layer().withToc(begin.length + 1 + mebibytes * (long) blanks.length, out -> {
            out.write(begin);
            for (int i = 0; i < mebibytes; i++) {
                out.write(blanks);
            }
            out.write('}');
        });
    }

    private record Hostile(String name, LazyLayer layer, String why) {}

    private static List<Hostile> hostile() throws IOException {
        LazyLayer good = layer();
        String directory = "{\"name\":\"%s\",\"type\":\"dir\",\"mode\":16877," + TIME + "}";
        return List.of(
                new Hostile("a name twice", good.withEntries(directory.formatted("kept")), "second entry"),
                new Hostile("..", good.withEntries(directory.formatted("a/../../b")), "\"..\""),
                new Hostile("an absolute name", good.withEntries(directory.formatted("/etc")), "relative"),
                new Hostile(
                        "an entry under a file",
                        good.withEntries("{\"name\":\"l\",\"type\":\"symlink\",\"linkName\":\"/etc\"},"
                                + directory.formatted("l/passwd")),
                        "no folder"),
                new Hostile(
                        "a loop of links",
                        good.withEntries(
                                "{\"name\":\"x\",\"type\":\"hardlink\",\"linkName\":\"y\"},{\"name\":\"y\",\"type\":\"hardlink\",\"linkName\":\"x\"}"),
                        "leads to itself"),
                new Hostile(
                        "overlapping chunks",
                        good.withEntries(
                                "{\"name\":\"x\",\"type\":\"reg\",\"size\":9,\"offset\":0},{\"name\":\"y\",\"type\":\"reg\",\"size\":9,\"offset\":0,\"innerOffset\":5}"),
                        "overlaps"),
                new Hostile(
                        "a chunk outside of the layer",
                        good.withEntries("{\"name\":\"x\",\"type\":\"reg\",\"size\":9,\"offset\":1099511627776}"),
                        "1099511627776"),
                new Hostile(
                        "a chunk outside of its file",
                        good.withEntries("{\"name\":\"x\",\"type\":\"reg\",\"size\":9,\"chunkSize\":10,\"offset\":0}"),
                        "9"),
                new Hostile(
                        "a table that is not the promised one",
                        good.promising(Digest.sha256(new byte[0])),
                        "not the one that the image names"),
                new Hostile("a footer that points outside", good.withFooter(Long.MAX_VALUE), "9223372036854775807"),
                new Hostile("a footer that points into a stream", good.withFooter(100), "TOC"),
                new Hostile("ten million entries", manyEntries(), "more than 250000 entries"),
                new Hostile("a bomb", bomb(), "bytes uncompressed"));
    }

    @Test
    void hostileLayersAreOrdinaryOnesThatSayWhy() throws IOException {
        Suite suite = shared;
        String good = registry.add("good", List.of(layer(3)));
        for (Hostile hostile : hostile()) {
            String image = registry.add("hostile", List.of(hostile.layer));
            pull(suite, image);
            assertThat(suite.longshore("image", "lazy", image).ok().out())
                    .as(hostile.name)
                    .contains(" no ")
                    .contains(hostile.why);
            assertThat(run(suite, image, "sha256sum", "/file-2").ok().out())
                    .as(hostile.name)
                    .startsWith(sum(random(2)));
            assertThat(said(suite)).contains("layer is not read lazily").contains(hostile.why);
            // Of that attempt nothing is left.
            try (Stream<Path> layers = Files.list(suite.root().resolve("lib/stargz/layers"))) {
                assertThat(layers).as(hostile.name).isEmpty();
            }
            // Some differ in what the archive does not have: the snapshot of the one must not be the next one's.
            suite.ctr("images", "rm", "--sync", image).ok();
        }
        reader(suite, good);
        checkReads(suite, 1);
    }

    @Test
    void chunksWithOtherDigestsThanTheirBytesHaveAreErrorsThatNameTheLayer() throws IOException {
        Suite suite = shared;
        LazyLayer good = layer();
        String chunk = Digest.sha256(Arrays.copyOf(random(2), 64 << 10)).toString();
        assertThat(good.toc()).contains(chunk);
        LazyLayer layer = good.withToc(
                good.toc().replace("\"chunkDigest\":\"" + chunk, "\"chunkDigest\":\"sha256:" + "0".repeat(64)));
        reader(suite, registry.add("wrong", List.of(layer)));
        checkReads(suite, 1);
        checkFails(suite, 2, layer);
        assertThat(said(suite)).contains("/file-2");
        checkReads(suite, 3);
    }

    // --- registries

    @ParameterizedTest
    @EnumSource(value = Mood.class, names = "GOOD", mode = EnumSource.Mode.EXCLUDE)
    void registryThatDoesNotKeepItsWordIsAnErrorUntilItDoes(Mood mood) throws IOException {
        Suite suite = shared;
        LazyLayer layer = largeLayer();
        reader(suite, registry.add("app", List.of(layer)));
        checkReads(suite, 0);
        registry.be(mood);
        checkFails(suite, FAR, layer);
        checkReads(suite, 0);
        registry.be(Mood.GOOD);
        checkReads(suite, FAR);
    }

    @Test
    void registryThatIsGoneForEverIsAnErrorAndWhatIsHereIsServed() throws IOException {
        Suite suite = shared;
        LazyLayer layer = largeLayer();
        reader(suite, registry.add("app", List.of(layer)));
        checkReads(suite, 0);
        registry.close();
        checkFails(suite, FAR, layer);
        checkReads(suite, 0);
        assertThat(suite.exec("reader", "/busybox", "ls", "-l", "/file-" + FAR)
                        .ok()
                        .out())
                .contains(Integer.toString(SIZE));
    }

    @Test
    void readersThatWaitForARegistryCanBeKilledAndTheirLayerGoes() throws IOException {
        Suite suite = Suite.upWithStargz("no_background_fetch = true\n[blob]\n  fetching_timeout_sec = 600\n");
        open.add(suite);
        String image = registry.add("app", List.of(largeLayer()));
        reader(suite, image);
        registry.be(Mood.STALLED);
        try (Running blocked = Running.start(
                suite.ctrCommand("tasks", "exec", "--exec-id", "b", "reader", "/busybox", "cat", "/file-" + FAR))) {
            await().atMost(Programs.PATIENCE)
                    .until(() -> suite.ctr("tasks", "ps", "reader").ok().lines().size() > 2);
            suite.removeContainers();
            blocked.awaitExit();
        }
        suite.ctr("images", "rm", "--sync", image).ok();
        await().atMost(Programs.PATIENCE).untilAsserted(() -> {
            assertThat(Files.readString(Path.of("/proc/self/mounts"))).doesNotContain(suite.root() + "/lib/stargz/");
            try (Stream<Path> layers = Files.list(suite.root().resolve("lib/stargz/layers"))) {
                assertThat(layers).isEmpty();
            }
        });
        registry.be(Mood.GOOD);
        reader(suite, image);
        checkReads(suite, FAR);
    }

    // --- the machine

    private static List<Path> cacheFiles(Suite suite) throws IOException {
        try (Stream<Path> files = Files.walk(suite.root().resolve("lib/stargz/layers"))) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void cacheThatIsDamagedUnderARunningContainerIsMended() throws IOException {
        Suite suite = up();
        reader(suite, registry.add("app", List.of(layer())));
        checkReads(suite, 0);
        for (Path file : cacheFiles(suite)) {
            if (file.endsWith("data")) {
                byte[] bytes = Files.readAllBytes(file);
                new Random(1).nextBytes(bytes);
                Files.write(file, bytes, StandardOpenOption.WRITE);
            }
        }
        checkReads(suite, 0);
        checkReads(suite, 1);
    }

    @Test
    void cacheThatIsEmptiedUnderARunningContainerIsFilledAgain() throws IOException {
        Suite suite = up();
        String image = registry.add("app", List.of(layer()));
        reader(suite, image);
        checkReads(suite, 0);
        for (Path file : cacheFiles(suite)) {
            Files.delete(file);
        }
        checkReads(suite, 0);
        checkReads(suite, 1);
        // Its table was there as well: whoever comes next has it fetched again.
        suite.kill(PROGRAM);
        suite.removeContainers();
        suite.start();
        begin(suite, image);
        checkReads(suite, 2);
    }

    @Test
    void fullDiskCostsRequestsAndNoBytes() throws IOException {
        Suite suite = up();
        Path small = suite.root().resolve("lib/stargz/layers");
        MountCalls.mount("none", small, "tmpfs", 0, "size=2m");
        reader(suite, registry.add("app", List.of(layer())));
        for (int round = 0; round < 2; round++) {
            for (int file = 0; file < 4; file++) {
                checkReads(suite, file);
            }
        }
        assertThat(suite.log(PROGRAM)).contains("cannot keep chunks");
    }

    /** With the limit that services have unless somebody raises it. */
    private Suite upWithFewDescriptors() {
        Suite suite = Suite.upWithStargz(QUIET, List.of("sh", "-c", "ulimit -n 1024; exec \"$@\"", "sh"));
        open.add(suite);
        return suite;
    }

    private static LazyLayer small(String name, int seed) {
        byte[] bytes = new byte[1000];
        new Random(seed).nextBytes(bytes);
        return LazyLayer.of(Map.of(name, bytes));
    }

    private static final int LAYERS = 60;

    @Test
    void fewDescriptorsDoForManyLayersFilesAndReaders() throws IOException {
        Suite suite = upWithFewDescriptors();
        List<LazyLayer> layers = new ArrayList<>(List.of(layer()));
        IntStream.range(0, LAYERS).forEach(i -> layers.add(small("small-" + i, i)));
        reader(suite, registry.add("app", layers));
        assertThat(Files.readString(Path.of("/proc/%d/limits".formatted(suite.pid(PROGRAM)))))
                .containsPattern("Max open files +1024 +1024 ");
        // Each holds its file open until all have been read.
        String script = """
                for i in 0 1 2 3 4 5 6 7 8 9; do for f in $(/busybox seq 0 %d); do
                  (exec 3</small-$f; /busybox dd if=/file-$((f %% 4)) bs=64k iflag=direct 2>/dev/null | /busybox sha256sum; /busybox cat <&3 | /busybox wc -c) &
                done; wait; done
                """.formatted(LAYERS - 1);
        Ran ran = suite.exec("reader", "/busybox", "sh", "-c", script).ok();
        assertThat(ran.lines()).hasSize(10 * LAYERS * 2);
        for (int file = 0; file < 4; file++) {
            String sum = sum(random(file));
            assertThat(ran.lines().stream().filter(line -> line.startsWith(sum)))
                    .hasSize(10 * LAYERS / 4);
        }
        assertThat(ran.lines().stream().filter("1000"::equals)).hasSize(10 * LAYERS);
    }

    private static long descriptors(Suite suite) throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/%d/fd".formatted(suite.pid(PROGRAM))))) {
            return all.count();
        }
    }

    /** More layers than it can have open: they are ordinary ones, with the reason; what runs goes on, and so does all else afterwards. */
    @Test
    void layersBeyondTheLimitOfDescriptorsAreOrdinary() throws IOException {
        Suite suite = up();
        reader(suite, registry.add("app", List.of(layer())));
        long few = descriptors(suite);
        // Of this program alone: what 1,000 allow takes minutes to use up.
        Programs.run(List.of("prlimit", "--nofile=256:256", "--pid", Long.toString(suite.pid(PROGRAM))))
                .ok();
        List<LazyLayer> layers =
                IntStream.range(0, 60).mapToObj(i -> small("small-" + i, i)).toList();
        String many = registry.add("many", layers);
        suite.longshore("pull", "--snapshotter", "stargz", many).ok();
        assertThat(suite.longshore("image", "lazy", many).ok().lines())
                .anyMatch(line -> line.contains(" yes "))
                .anyMatch(line -> line.contains("descriptors are in use"));
        for (int file = 0; file < 4; file++) {
            checkReads(suite, file);
        }
        suite.ctr("images", "rm", "--sync", many).ok();
        await().atMost(Programs.PATIENCE).until(() -> descriptors(suite) < few + 20);
        String after = registry.add("after", List.of(small("small", -1)));
        suite.longshore("pull", "--snapshotter", "stargz", after).ok();
        assertThat(suite.longshore("image", "lazy", after).ok().lines()).anyMatch(line -> line.contains(" yes "));
    }
}
