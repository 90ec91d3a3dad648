package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.testkit.RegistryProcess;
import dev.longshore.testkit.RegistryProcess.Access;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images go from a real registry to the daemon and back: by {@code longshore}, by {@code ctr} 1.x itself, and by {@code ctr} 2.x through the daemon. */
class TransferIT {

    private static final String USER = "joe";
    private static final String PASSWORD = "not-secret";

    /** Bytes of the big image's layer, which does not compress. */
    private static final int BIG = 48 << 20;

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private Suite suite;

    @SuppressWarnings("NullAway.Init") // started by each test, in its own way
    private RegistryProcess registry;

    @BeforeEach
    void up() {
        suite = Suite.up();
        open.add(suite);
    }

    @AfterEach
    void down() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private void startRegistry(boolean tls, Access access) throws IOException {
        registry = RegistryProcess.start(Files.createDirectories(folder.resolve("registry")), tls, access);
        open.add(registry);
    }

    private String name(String repository) {
        return registry.host() + "/" + repository + ":1";
    }

    /** The client with a configuration of Docker's in the test's own folder. */
    private Ran longshore(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Suite.distribution().resolve("bin/longshore").toString(),
                "--address",
                suite.address().toString()));
        command.addAll(List.of(arguments));
        return Programs.run(
                command, "", Map.of("DOCKER_CONFIG", folder.resolve("docker").toString()));
    }

    private void logIn() throws IOException {
        String both = Base64.getEncoder().encodeToString((USER + ":" + PASSWORD).getBytes(StandardCharsets.UTF_8));
        Files.createDirectories(folder.resolve("docker"));
        Files.writeString(
                folder.resolve("docker/config.json"),
                "{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}".formatted(registry.host(), both));
    }

    private void remove(String name) {
        suite.ctr("images", "rm", "--sync", name).ok();
        assertThat(suite.ctr("content", "ls", "-q").ok().lines()).isEmpty();
    }

    @Test
    void pushedImageIsPulledAndRuns() throws IOException {
        startRegistry(false, Access.EVERYBODY);
        suite.importBusybox(name("busybox"));
        longshore("push", name("busybox")).ok();
        remove(name("busybox"));

        Ran pulled = longshore("pull", name("busybox")).ok();
        assertThat(pulled.out()).contains(name("busybox"));
        assertThat(pulled.err()
                        .lines()
                        .filter(line -> line.startsWith("layer "))
                        .map(line -> line.replaceAll("^.*: |,.*$", "")))
                .containsSubsequence("waiting", "complete", "extracting", "extracted");
        assertThat(longshore("run", "--rm", name("busybox"), "echo", "it runs")
                        .ok()
                        .out())
                .isEqualTo("it runs\n");
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).isEmpty();
    }

    @Test
    void registryThatIsTrustedByHostsTomlIsSpokenToWithTls() throws IOException {
        startRegistry(true, Access.EVERYBODY);
        suite.importBusybox(name("busybox"));
        Ran refused = longshore("push", name("busybox"));
        assertThat(refused.exit()).isNotZero();

        Path hosts = Files.createDirectories(folder.resolve("certs.d/" + registry.host()));
        Files.writeString(
                hosts.resolve("hosts.toml"),
                "server = \"%s\"\nca = \"%s\"\n".formatted(registry.url(), registry.certificate()));
        configure();
        longshore("push", name("busybox")).ok();
        remove(name("busybox"));
        longshore("pull", name("busybox")).ok();
        assertThat(suite.ctr("images", "check", "-q").ok().lines()).contains(name("busybox"));
    }

    /** Has the daemon look into the test's folder for hosts.toml. */
    private void configure() throws IOException {
        Path config = suite.root().resolve("config.toml");
        Files.writeString(
                config,
                Files.readString(config)
                        + "\n[plugins.\"io.containerd.transfer.v1.local\"]\n  config_path = \"%s\"\n"
                                .formatted(folder.resolve("certs.d")));
        suite.kill("longshored");
        suite.start();
    }

    @Test
    void mirrorIsAskedInThePlaceOfTheRegistry() throws IOException {
        startRegistry(false, Access.EVERYBODY);
        suite.importBusybox(name("busybox"));
        longshore("push", name("busybox")).ok();
        Path hosts = Files.createDirectories(folder.resolve("certs.d/registry.invalid"));
        Files.writeString(
                hosts.resolve("hosts.toml"),
                "[host.\"%s\"]\n  capabilities = [\"pull\", \"resolve\"]\n".formatted(registry.url()));
        configure();
        remove(name("busybox"));
        longshore("pull", "registry.invalid/busybox:1").ok();
        assertThat(longshore("run", "--rm", "registry.invalid/busybox:1", "echo", "from the mirror")
                        .ok()
                        .out())
                .isEqualTo("from the mirror\n");
        assertThat(String.join("\n", registry.log())).contains("ns=registry.invalid");
    }

    @Test
    void passwordComesFromTheClient() throws IOException {
        startRegistry(false, Access.password(folder, USER, PASSWORD));
        suite.importBusybox(name("busybox"));
        assertThat(longshore("push", name("busybox")).exit()).isNotZero();
        logIn();
        longshore("push", name("busybox")).ok();
        remove(name("busybox"));
        longshore("pull", name("busybox")).ok();
        String log = Files.readString(suite.root().resolve("log/longshored.log"));
        assertThat(log).doesNotContain(PASSWORD);
    }

    @Test
    void imageThatIsNotThereIsSaidToBeSo() throws IOException {
        startRegistry(false, Access.EVERYBODY);
        longshore("pull", name("nothing")).failedWith("404");
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).isEmpty();
    }

    /** An image with one big layer, in the registry. */
    private void pushBigImage() throws IOException {
        Programs.need("umoci");
        Path noise = folder.resolve("noise");
        byte[] bytes = new byte[BIG];
        new Random(1).nextBytes(bytes);
        Files.write(noise, bytes);
        Path layout = folder.resolve("layout");
        Programs.run(List.of("umoci", "init", "--layout", layout.toString())).ok();
        Programs.run(List.of("umoci", "new", "--image", layout + ":1")).ok();
        Programs.run(List.of("umoci", "insert", "--image", layout + ":1", noise.toString(), "/noise"))
                .ok();
        Path archive = TestImage.pack(layout, folder.resolve("big.tar"));
        longshore("image", "import", "--no-unpack", "--name", name("big"), archive.toString())
                .ok();
        longshore("push", name("big")).ok();
        remove(name("big"));
    }

    /** The name of the big image over a link on which it takes some seconds. */
    private String slowBigImage() throws IOException {
        startRegistry(false, Access.EVERYBODY);
        pushBigImage();
        SlowLink link = new SlowLink(registry.host(), BIG / 4);
        open.add(link);
        return link.host() + "/big:1";
    }

    private Process startPull(String image) throws IOException {
        return new ProcessBuilder(
                        Suite.distribution().resolve("bin/longshore").toString(),
                        "--address",
                        suite.address().toString(),
                        "pull",
                        image)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("pull.log").toFile())
                .start();
    }

    private void awaitAQuarter(Process pull) {
        await().atMost(Programs.PATIENCE).pollInterval(Duration.ofMillis(20)).until(() -> {
            assertThat(pull.isAlive()).as("the pull goes on").isTrue();
            return ingested() > BIG / 4;
        });
    }

    /** Bytes that are unpacked of the big image's layer. */
    private long unpacked() {
        Ran found = Programs.run(List.of(
                "find",
                suite.root().resolve("lib").toString(),
                "-path",
                "*/snapshots/*/fs/*",
                "-size",
                "+1M",
                "-printf",
                "%s\\n"));
        return found.lines().stream().mapToLong(Long::parseLong).sum();
    }

    @Test
    void aLayerIsUnpackedWhileItComes() throws Exception {
        Process pull = startPull(slowBigImage());
        awaitAQuarter(pull);
        await().atMost(Programs.PATIENCE).pollInterval(Duration.ofMillis(20)).until(() -> {
            long there = unpacked(); // before it is asked whether the layer is still coming
            return ingested() > 0 && there > BIG / 8;
        });
        assertThat(pull.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(pull.exitValue())
                .as(Files.readString(folder.resolve("pull.log")))
                .isZero();
        assertThat(Files.readString(folder.resolve("pull.log")).lines().map(line -> line.replaceAll("^.*: |,.*$", "")))
                .containsSubsequence("complete", "extracted");
        assertThat(unpacked()).isGreaterThanOrEqualTo(BIG);
    }

    private void pullTheRest(String image) {
        assertThat(ingested()).isGreaterThan(BIG / 4);
        longshore("pull", image).ok();
        assertThat(suite.ctr("images", "check", "-q").ok().lines()).contains(image);
        assertThat(registry.log().stream().filter(line -> line.contains("\" 206 ")))
                .isNotEmpty();
    }

    @Test
    void pullGoesOnWhereTheDaemonWasKilled() throws Exception {
        String image = slowBigImage();
        Process pull = startPull(image);
        awaitAQuarter(pull);
        suite.kill("longshored");
        assertThat(pull.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(pull.exitValue()).isNotZero();
        suite.start();
        pullTheRest(image);
    }

    @Test
    void pullGoesOnWhereTheClientWasKilled() throws Exception {
        String image = slowBigImage();
        Process pull = startPull(image);
        awaitAQuarter(pull);
        pull.destroyForcibly().waitFor();
        pullTheRest(image);
    }

    @Test
    void twoPullsOfAnImageFetchEachBlobOnce() throws Exception {
        String image = slowBigImage();
        Process one = startPull(image);
        awaitAQuarter(one);
        longshore("pull", image).ok();
        assertThat(one.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(one.exitValue()).isZero();
        List<String> fetched = registry.log().stream()
                .filter(line -> line.contains("\"GET /v2/big/blobs/"))
                .map(line -> line.replaceAll(".*\"GET ([^ ]*) .*", "$1"))
                .toList();
        assertThat(fetched).isNotEmpty().doesNotHaveDuplicates();
    }

    @Test
    void fullDiskLeavesNoHalfLayer() throws Exception {
        startRegistry(false, Access.EVERYBODY);
        pushBigImage();
        suite.kill("longshored");
        Path content = suite.root().resolve("lib/daemon/io.containerd.content.v1.content");
        mount(content, "size=" + BIG / 2);
        open.add(() -> Programs.run(List.of("umount", "-l", content.toString())).ok());
        suite.start();
        longshore("pull", name("big")).failedWith("No space left on device");
        assertThat(suite.ctr("images", "ls", "-q").ok().out()).isEmpty();
        assertThat(suite.ctr("snapshots", "ls").ok().lines()).hasSize(1);

        mount(content, "remount,size=" + 2 * BIG);
        longshore("pull", name("big")).ok();
        assertThat(suite.ctr("images", "check", "-q").ok().lines()).contains(name("big"));
    }

    private static void mount(Path folder, String options) {
        Programs.run(List.of("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder.toString()))
                .ok();
    }

    /** Bytes of ingests that are on the disk. */
    private long ingested() {
        File[] ingests = suite.root()
                .resolve("lib/daemon/io.containerd.content.v1.content/ingest")
                .toFile()
                .listFiles();
        long bytes = 0;
        for (File ingest : ingests == null ? new File[0] : ingests) {
            bytes += new File(ingest, "data").length();
        }
        return bytes;
    }

    @Test
    void ctrPullsAndPushesByItself() throws IOException {
        startRegistry(false, Access.EVERYBODY);
        suite.importBusybox(name("busybox"));
        List<String> local = Interop.version("ctr").startsWith("2.") ? List.of("--local") : List.of();
        ctr("ctr", "push", local);
        remove(name("busybox"));
        ctr("ctr", "pull", local);
        assertThat(suite.ctr("images", "check", "-q").ok().lines()).contains(name("busybox"));
    }

    @Test
    void ctrUsesAMirrorWithTlsAndAPassword() throws IOException {
        mirrorWithTlsAndAPassword("ctr", Interop.version("ctr").startsWith("2.") ? List.of("--local") : List.of());
    }

    @Test
    void ctr2UsesAMirrorWithTlsAndAPasswordThroughTheDaemon() throws IOException {
        mirrorWithTlsAndAPassword(Interop.ctr2(), List.of());
    }

    private void mirrorWithTlsAndAPassword(String ctr, List<String> flags) throws IOException {
        startRegistry(true, Access.password(folder, USER, PASSWORD));
        Path hosts = Files.createDirectories(folder.resolve("hosts/registry.invalid"));
        Files.writeString(
                hosts.resolve("hosts.toml"),
                "[host.\"%s\"]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n  ca = \"%s\"\n"
                        .formatted(registry.url(), registry.certificate()));
        String image = "registry.invalid/busybox:1";
        suite.importBusybox(image);
        List<String> all = new ArrayList<>(flags);
        all.addAll(List.of("--hosts-dir", folder.resolve("hosts").toString()));
        assertThat(images(ctr, "push", all, image).exit())
                .as("without a password")
                .isNotZero();
        all.addAll(List.of("--user", USER + ":" + PASSWORD));
        images(ctr, "push", all, image).ok();
        remove(image);
        images(ctr, "pull", all, image).ok();
        assertThat(suite.ctr("images", "check", "-q").ok().lines()).contains(image);
        assertThat(Files.readString(suite.root().resolve("log/longshored.log"))).doesNotContain(PASSWORD);
    }

    private Ran images(String program, String verb, List<String> flags, String image) {
        List<String> command =
                new ArrayList<>(List.of(program, "--address", suite.address().toString(), "images", verb));
        command.addAll(flags);
        command.add(image);
        return Programs.run(command);
    }

    private void ctr(String program, String verb, List<String> flags) {
        List<String> all = new ArrayList<>(flags);
        all.add("--plain-http");
        images(program, verb, all, name("busybox")).ok();
    }

    @Test
    void ctr2LeavesAllOfItToTheDaemon() throws IOException {
        String ctr = Interop.ctr2();
        startRegistry(false, Access.EVERYBODY);
        String archive = TestImage.busybox(name("busybox")).toString();
        String address = suite.address().toString();
        Programs.run(List.of(ctr, "--address", address, "images", "import", archive))
                .ok();
        ctr(ctr, "push", List.of());
        remove(name("busybox"));
        ctr(ctr, "pull", List.of());
        Programs.run(List.of(ctr, "--address", address, "images", "tag", name("busybox"), "docker.io/library/other:1"))
                .ok();
        Path exported = folder.resolve("exported.tar");
        Programs.run(List.of(
                        ctr,
                        "--address",
                        address,
                        "images",
                        "export",
                        exported.toString(),
                        "docker.io/library/other:1"))
                .ok();
        suite.ctr("images", "rm", "docker.io/library/other:1").ok();
        remove(name("busybox"));
        longshore("image", "import", exported.toString()).ok();
        assertThat(longshore("run", "--rm", "docker.io/library/other:1", "echo", "there and back")
                        .ok()
                        .out())
                .isEqualTo("there and back\n");
    }
}
