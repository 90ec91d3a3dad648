package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.testkit.RegistryProcess;
import dev.longshore.testkit.RegistryProcess.Access;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a real program costs a real registry until it has started: its log counts. */
class LazyStartIT {

    private static final String QUIET = "no_background_fetch = true\n";

    private static final String SCRIPT = "import json, http.client, ssl; print(6 * 7)";

    /** A handful: the manifest by its name and by its digest, the configuration, the layer's end, and up to the landmark. */
    private static final int HANDFUL = 8;

    private static final Pattern DONE = Pattern.compile("response completed.*http\\.request\\.method=GET"
            + ".*http\\.request\\.uri=\"?([^\" ]+).*http\\.response\\.status=20.*http\\.response\\.written=(\\d+)");

    @TempDir
    private static Path folder;

    private static final List<AutoCloseable> open = new ArrayList<>();

    @SuppressWarnings("NullAway.Init") // made before the tests
    private static RegistryProcess registry;

    @SuppressWarnings("NullAway.Init") // made before the tests
    private static Suite suite;

    /** The image is in the registry, and nowhere else. */
    @BeforeAll
    static void up() throws IOException {
        suite = Suite.upWithStargz(QUIET);
        open.add(suite);
        registry = RegistryProcess.start(Files.createDirectories(folder.resolve("registry")), false, Access.EVERYBODY);
        open.add(registry);
        PythonImage.importTo(suite, folder, name("plain"));
        suite.longshore("push", name("plain")).ok();
        forget(name("plain"));
    }

    @AfterAll
    static void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private static String name(String tag) {
        return registry.host() + "/python:" + tag;
    }

    /** What was asked of the registry, and the bytes of blobs that it sent. */
    private record Cost(long requests, long blobRequests, long bytes) {

        Cost since(Cost before) {
            return new Cost(requests - before.requests, blobRequests - before.blobRequests, bytes - before.bytes);
        }
    }

    private Cost cost() {
        long requests = 0;
        long blobs = 0;
        long bytes = 0;
        for (String line : registry.log()) {
            Matcher done = DONE.matcher(line);
            if (done.find()) {
                requests++;
                if (done.group(1).contains("/blobs/")) {
                    blobs++;
                    bytes += Long.parseLong(done.group(2));
                }
            }
        }
        return new Cost(requests, blobs, bytes);
    }

    private Cost start(String image) {
        Cost before = cost();
        suite.longshore("pull", "--snapshotter", "stargz", image).ok();
        assertThat(suite.longshore("run", "--rm", "--snapshotter", "stargz", image, "/usr/bin/python3", "-c", SCRIPT)
                        .ok()
                        .out())
                .isEqualTo("42\n");
        Cost cost = cost().since(before);
        System.out.println(image + ": " + cost + "\n"
                + suite.longshore("image", "lazy", image).ok().out());
        return cost;
    }

    /** Bytes of the one layer, whoever has made it: they differ little. */
    private long largestBlob() throws IOException {
        try (Stream<Path> files = Files.walk(folder.resolve("registry/images"))) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .max()
                    .orElseThrow();
        }
    }

    private static void forget(String... images) {
        for (String image : images) {
            suite.ctr("images", "rm", "--sync", image).ok();
        }
    }

    @Test
    void optimizedProgramStartsWithAHandfulOfRequests() {
        suite.longshore("pull", name("plain")).ok();
        suite.longshore("image", "convert", "--estargz", name("plain"), name("converted"))
                .ok();
        suite.longshore("image", "optimize", name("plain"), name("optimized"), "--", "/usr/bin/python3", "-c", SCRIPT)
                .ok();
        suite.longshore("push", name("converted")).ok();
        suite.longshore("push", name("optimized")).ok();
        forget(name("plain"), name("converted"), name("optimized"));

        Cost converted = start(name("converted"));
        Cost optimized = start(name("optimized"));
        assertThat(optimized.requests()).isLessThanOrEqualTo(HANDFUL);
        assertThat(optimized.blobRequests()).isLessThan(converted.blobRequests() / 2);
        assertThat(optimized.bytes()).isLessThan(converted.bytes());
    }

    @Test
    void imageThatOthersHaveOptimizedStartsTheSameWay() throws IOException {
        Programs.need("containerd", "ctr-remote");
        Path root = Files.createDirectories(folder.resolve("stock"));
        Path address = root.resolve("containerd.sock");
        StockContainerd stock = new StockContainerd(root, address, "containerd", List.of(), List.of(), false);
        stock.start();
        open.add(stock);
        await().atMost(Programs.PATIENCE).until(() -> remote(address, "version").exit() == 0);
        remote(address, "images", "pull", "--plain-http", name("plain")).ok();
        remote(
                        address,
                        "images",
                        "optimize",
                        "--oci",
                        "--period=5",
                        "--entrypoint=[\"/usr/bin/python3\"]",
                        "--args=[\"-c\", \"" + SCRIPT + "\"]",
                        name("plain"),
                        name("theirs"))
                .ok();
        remote(address, "images", "push", "--plain-http", name("theirs")).ok();
        Cost theirs = start(name("theirs"));
        assertThat(theirs.requests()).isLessThanOrEqualTo(HANDFUL);
        assertThat(theirs.bytes()).as("up to the landmark").isLessThan(largestBlob() / 2);
    }

    private static Ran remote(Path address, String... arguments) {
        List<String> command = new ArrayList<>(List.of("ctr-remote", "--address", address.toString()));
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }
}
