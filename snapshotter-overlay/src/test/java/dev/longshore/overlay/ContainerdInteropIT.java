package dev.longshore.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a proxy plugin of the machine's own containerd, driven by its own ctr. */
final class ContainerdInteropIT {

    private static final String NAME = "longshore-overlay";
    private static final String SURVIVOR = "survivor";
    private static final String IMAGE = "docker.io/library/interop:1";

    @TempDir
    private Path folder;

    private OverlayProcess overlay;
    private Process containerd;

    private record Result(int code, String output) {}

    @BeforeEach
    void start() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot run containerd");
        for (String program : List.of("containerd", "ctr", "runc", "busybox", "tar")) {
            assumeTrue(onPath(program), program + " is not installed: apt-get install containerd runc busybox-static");
        }
        overlay = OverlayProcess.start(folder);
        Path config = Files.writeString(folder.resolve("config.toml"), """
                version = 2
                root = "%1$s/containerd"
                state = "%1$s/state"
                disabled_plugins = ["io.containerd.grpc.v1.cri"]
                [grpc]
                address = "%1$s/containerd.sock"
                [proxy_plugins.%2$s]
                type = "snapshot"
                address = "%1$s/overlay.sock"
                """.formatted(folder, NAME));
        containerd = new ProcessBuilder("containerd", "--config", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("containerd.log").toFile())
                .start();
        Awaitility.await()
                .atMost(Duration.ofSeconds(30))
                .pollInterval(Duration.ofMillis(50))
                .until(() -> ctr("version").code() == 0);
    }

    @AfterEach
    void stop() throws Exception {
        if (containerd != null) {
            // A test that failed may have left it, and its shim would outlive containerd.
            ctr("tasks", "rm", "--force", SURVIVOR);
            containerd.destroy();
            containerd.waitFor(30, TimeUnit.SECONDS);
            containerd.destroyForcibly().waitFor();
        }
        if (overlay != null) {
            overlay.close();
        }
    }

    @Test
    void anImageIsUnpackedAndAContainerRunsOnIt() throws Exception {
        importImage();

        assertThat(ok("snapshots", "--snapshotter", NAME, "ls")).contains("Committed");
        assertThat(ok(
                        "run",
                        "--rm",
                        "--snapshotter",
                        NAME,
                        IMAGE,
                        "c1",
                        "/bin/busybox",
                        "sh",
                        "-c",
                        "echo hello; echo new > /new; cat /new; rm /greeting; ls /"))
                .contains("hello", "new", "bin")
                .doesNotContain("greeting");
        assertThat(ok(
                        "run",
                        "--rm",
                        "--read-only",
                        "--snapshotter",
                        NAME,
                        IMAGE,
                        "c2",
                        "/bin/busybox",
                        "cat",
                        "/greeting"))
                .as("what the first container did is gone")
                .contains("good day");
        assertThat(folder.resolve("root/snapshots")).isNotEmptyDirectory();
    }

    @Test
    void snapshotsArePreparedViewedCommittedAndDiffed() throws Exception {
        importImage();
        String base = lines("ls").stream()
                .filter(line -> line.startsWith("sha256:"))
                .map(line -> line.split("\\s+", 2)[0])
                .findFirst()
                .orElseThrow();

        snapshots("prepare", "work", base);
        Path target = Files.createDirectory(folder.resolve("target"));
        String mount = snapshots("mounts", target.toString(), "work");
        assertThat(mount).startsWith("mount -t overlay overlay " + target);
        assertThat(run(List.of("sh", "-c", mount)).code()).isZero();
        try {
            Files.delete(target.resolve("greeting"));
            Files.writeString(target.resolve("added"), "added");
        } finally {
            assertThat(run(List.of("umount", target.toString())).code()).isZero();
        }
        snapshots("commit", "layer", "work");

        assertThat(snapshots("info", "layer")).contains("\"Parent\": \"" + base + "\"", "\"Kind\": \"Committed\"");
        assertThat(snapshots("tree")).contains(base).contains("layer");
        assertThat(snapshots("usage", "layer")).contains("layer");
        assertThat(run(List.of(
                                "sh",
                                "-c",
                                "ctr -a %s/containerd.sock snapshots --snapshotter %s diff layer | tar -tzf -"
                                        .formatted(folder, NAME)))
                        .output())
                .contains("added", ".wh.greeting");
        assertThat(snapshots("label", "layer", "containerd.io/snapshot/a=b")).contains("containerd.io/snapshot/a=b");
        assertThat(ctr("snapshots", "--snapshotter", NAME, "rm", base).output()).contains("failed precondition");
        assertThat(ctr("snapshots", "--snapshotter", NAME, "info", "none").output())
                .contains("not found");
        assertThat(ctr("snapshots", "--snapshotter", NAME, "prepare", "layer", base)
                        .output())
                .contains("already exists");
    }

    @Test
    void removingTheImageLeavesNothing() throws Exception {
        importImage();

        ok("images", "rm", "--sync", IMAGE);

        assertThat(lines("ls")).noneMatch(line -> line.startsWith("sha256:"));
        Awaitility.await().atMost(Duration.ofSeconds(20)).untilAsserted(() -> {
            try (Stream<Path> left = Files.list(folder.resolve("root/snapshots"))) {
                assertThat(left).isEmpty();
            }
        });
    }

    @Test
    void containersGoOnAfterTheSnapshotterWasKilled() throws Exception {
        importImage();
        ok("run", "-d", "--snapshotter", NAME, IMAGE, SURVIVOR, "/bin/busybox", "sleep", "1000");
        overlay.kill();

        assertThat(ctr("snapshots", "--snapshotter", NAME, "ls").output()).contains("unavailable");
        assertThat(ok("tasks", "exec", "--exec-id", "e1", SURVIVOR, "/bin/busybox", "cat", "/greeting"))
                .contains("good day");

        overlay.close();
        overlay = OverlayProcess.start(folder);
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(snapshots("ls")).contains(SURVIVOR));
        ok("tasks", "kill", "--signal", "SIGKILL", SURVIVOR);
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .until(() -> ok("tasks", "ls").contains("STOPPED"));
        ok("tasks", "rm", SURVIVOR);
        ok("containers", "rm", SURVIVOR);
        assertThat(snapshots("ls")).doesNotContain(SURVIVOR);
    }

    /** An OCI archive of one layer, with busybox and a greeting. */
    private void importImage() throws Exception {
        Path files = folder.resolve("image-files");
        Files.createDirectories(files.resolve("bin"));
        Files.copy(which("busybox"), files.resolve("bin/busybox"));
        Files.writeString(files.resolve("greeting"), "good day\n");
        Path layout = Files.createDirectories(folder.resolve("image"));
        Path blobs = Files.createDirectories(layout.resolve("blobs/sha256"));
        Path tar = folder.resolve("layer.tar");
        assertThat(run(List.of("tar", "-C", files.toString(), "-cf", tar.toString(), "."))
                        .code())
                .isZero();
        String layer = blob(blobs, Files.readAllBytes(tar));
        String config = blob(blobs, """
                {"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}""".formatted(architecture(), layer).getBytes(StandardCharsets.UTF_8));
        String manifest = blob(blobs, """
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}""".formatted(
                        descriptor(blobs, "application/vnd.oci.image.config.v1+json", config),
                        descriptor(blobs, "application/vnd.oci.image.layer.v1.tar", layer))
                .getBytes(StandardCharsets.UTF_8));
        Files.writeString(layout.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        String entry = descriptor(blobs, "application/vnd.oci.image.manifest.v1+json", manifest);
        Files.writeString(layout.resolve("index.json"), """
                {"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"%s"}}]}""".formatted(entry.substring(0, entry.length() - 1), IMAGE));
        Path archive = folder.resolve("image.tar");
        assertThat(run(List.of("tar", "-C", layout.toString(), "-cf", archive.toString(), "."))
                        .code())
                .isZero();
        ok("images", "import", "--snapshotter", NAME, archive.toString());
    }

    private static String architecture() {
        return System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64";
    }

    private static String blob(Path blobs, byte[] content) throws Exception {
        String digest =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        Files.write(blobs.resolve(digest), content);
        return digest;
    }

    private static String descriptor(Path blobs, String mediaType, String digest) throws IOException {
        return "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%d}"
                .formatted(mediaType, digest, Files.size(blobs.resolve(digest)));
    }

    private String snapshots(String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of("snapshots", "--snapshotter", NAME));
        all.addAll(List.of(arguments));
        return ok(all.toArray(String[]::new));
    }

    private List<String> lines(String... arguments) throws Exception {
        return snapshots(arguments).lines().toList();
    }

    private String ok(String... arguments) throws Exception {
        Result result = ctr(arguments);
        assertThat(result.code())
                .as("ctr %s: %s", List.of(arguments), result.output())
                .isZero();
        return result.output();
    }

    private Result ctr(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("ctr", "--address", folder.resolve("containerd.sock").toString()));
        command.addAll(List.of(arguments));
        return run(command);
    }

    /** Through a file: a shim that the command starts would keep a pipe open. */
    private Result run(List<String> command) throws Exception {
        Path output = Files.createTempFile(folder, "output", "");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertThat(process.waitFor(120, TimeUnit.SECONDS))
                .as("%s ends", command)
                .isTrue();
        return new Result(process.exitValue(), Files.readString(output));
    }

    private static boolean onPath(String program) {
        return Stream.of(System.getenv("PATH").split(":", -1))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }

    private static Path which(String program) {
        return Stream.of(System.getenv("PATH").split(":", -1))
                .map(folder -> Path.of(folder, program))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow();
    }
}
