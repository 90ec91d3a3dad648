package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The launcher by itself: in the place of the JVM is a program that notes its arguments and holds the socket. */
class LauncherIT {

    @TempDir
    private Path folder;

    private Path launcher;
    private Path sockets;
    private Path bundle;

    /** The socket of a start that named no folder; empty if there was none. */
    private String defaultFolder = "";

    /** @param out what it printed, a character for each byte */
    private record Ran(int exit, String out, String err) {

        BootstrapResult result() throws IOException {
            return BootstrapResult.parseFrom(out.getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    @BeforeEach
    void layOut() throws IOException {
        launcher = LaidOutShim.in(folder);
        Files.writeString(folder.resolve("lib/containerd-shim-runc-v2"), """
                #!/bin/sh
                echo $$ "$@" >>%s
                exec sleep 60
                """.formatted(folder.resolve("starts")));
        sockets = folder.resolve("s");
        bundle = Files.createDirectories(folder.resolve("b"));
        Files.writeString(bundle.resolve("config.json"), "{}");
    }

    @AfterEach
    void killWhatWasStarted() throws IOException {
        int served = (defaultFolder.isEmpty() ? 0 : 1) + socketsIn(sockets);
        await().atMost(Duration.ofMinutes(1)).until(() -> starts().size() >= served);
        for (String suffix : defaultFolder.isEmpty() ? List.<String>of() : List.of("", ".lock", ".log")) {
            Files.deleteIfExists(Path.of(defaultFolder + suffix));
        }
        for (String start : starts()) {
            ProcessHandle.of(Long.parseLong(start.split(" ", 2)[0])).ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private static int socketsIn(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return 0;
        }
        try (var files = Files.list(folder)) {
            return (int) files.filter(file -> !file.getFileName().toString().contains("."))
                    .count();
        }
    }

    private List<String> starts() throws IOException {
        Path file = folder.resolve("starts");
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    private Ran run(byte[] input, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(launcher.toString()));
        command.addAll(List.of(arguments));
        Path in = Files.write(Files.createTempFile(folder, "in", ""), input);
        Path out = Files.createTempFile(folder, "out", "");
        Path err = Files.createTempFile(folder, "err", "");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(bundle.toFile())
                    .redirectInput(in.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            return new Ran(
                    process.exitValue(), Files.readString(out, StandardCharsets.ISO_8859_1), Files.readString(err));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private byte[] params(String id, Path socketFolder) {
        return BootstrapParams.newBuilder()
                .setInstanceId(id)
                .setNamespace("ns")
                .setContainerdGrpcAddress("/run/d.sock")
                .setSocketDir(socketFolder.toString())
                .build()
                .toByteArray();
    }

    private Ran start(byte[] input) throws IOException {
        return run(
                input, "-namespace", "ns", "-address", "/run/d.sock", "-publish-binary", "/bin/x", "-id", "c", "start");
    }

    private String startedAt(String config) throws IOException {
        Files.writeString(bundle.resolve("config.json"), config);
        Ran ran = start(params("c", sockets));
        assertThat(ran.exit()).as(ran.err()).isZero();
        return ran.result().getAddress();
    }

    private String address(String group) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest(("/run/d.sock/ns/" + group).getBytes(StandardCharsets.UTF_8));
            return "unix://" + sockets.resolve(HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void socketIsNamedAsContainerdNamesIt() throws IOException {
        // Around the borders of the blocks of SHA-256.
        for (int length : new int[] {1, 38, 39, 40, 41, 48, 49, 50, 103, 113, 114, 200}) {
            String group = "g".repeat(length);
            assertThat(startedAt("{\"annotations\":{\"io.containerd.runc.v2.group\":\"%s\"}}".formatted(group)))
                    .isEqualTo(address(group));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}",
                "{ \"annotations\" : {\n\t\"a\" : \"b\",\r\n \"io.kubernetes.cri.sandbox-id\"  :\n \"pod\" } }",
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"other\",\"io.containerd.runc.v2.group\":\"pod\"}}",
                "{\"annotations\":{\"io.containerd.runc.v2.group\":\"pod\",\"io.kubernetes.cri.sandbox-id\":\"other\"}}",
                "{\"process\":{\"args\":[\"\\\"io.kubernetes.cri.sandbox-id\\\":\\\"no\\\"\"]},"
                        + "\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}",
                "{\"process\":{\"env\":[\"io.kubernetes.cri.sandbox-id\"]},"
                        + "\"annotations\":{\"x\":\"io.kubernetes.cri.sandbox-id\",\"io.kubernetes.cri.sandbox-id\":\"pod\"}}"
            })
    void groupIsThatOfTheAnnotations(String config) throws IOException {
        assertThat(startedAt(config)).isEqualTo(address("pod"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{}",
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"\"}}",
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":7}}",
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod",
                "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":"
            })
    void groupIsTheNamespaceWhereTheAnnotationsNameNone(String config) throws IOException {
        assertThat(startedAt(config)).isEqualTo(address("ns"));
    }

    @Test
    void jvmIsToldWhatTheLauncherWasTold() throws IOException {
        String address = startedAt("{}");
        await().atMost(Duration.ofMinutes(1)).until(() -> starts().size() == 1);
        assertThat(starts().getFirst())
                .endsWith(
                        "-launcher %s -namespace ns -address /run/d.sock -publish-binary /bin/x -id c -bundle . -socket %s"
                                .formatted(launcher.toRealPath(), address.substring("unix://".length())));
    }

    @Test
    void manyStartsAtOnceStartOneJvm() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(10)) {
            List<Future<Ran>> running = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                running.add(threads.submit(() -> start(params("c", sockets))));
            }
            for (Future<Ran> one : running) {
                assertThat(one.get().result().getAddress()).isEqualTo(address("ns"));
            }
        }
        await().atMost(Duration.ofMinutes(1)).until(() -> !starts().isEmpty());
        assertThat(starts()).hasSize(1);
    }

    @Test
    void socketThatNobodyServesIsServedAnew() throws IOException {
        String address = startedAt("{}");
        await().atMost(Duration.ofMinutes(1)).until(() -> starts().size() == 1);
        ProcessHandle jvm = ProcessHandle.of(Long.parseLong(starts().getFirst().split(" ", 2)[0]))
                .orElseThrow();
        jvm.destroyForcibly();
        await().atMost(Duration.ofMinutes(1)).until(() -> !jvm.isAlive());
        assertThat(startedAt("{}")).isEqualTo(address);
        await().atMost(Duration.ofMinutes(1)).until(() -> starts().size() == 2);
    }

    @Test
    void inputThatIsNoParametersIsAnsweredInTheOldForm() throws IOException {
        byte[] whole = params("c", sockets);
        List<byte[]> inputs = new ArrayList<>(List.of(
                new byte[0],
                params("another", sockets),
                new byte[] {
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff,
                    (byte) 0xff
                },
                new byte[] {10, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 127},
                new byte[] {10, 100, 'c'},
                new byte[] {9, 1, 2, 3},
                new byte[1000]));
        inputs.add(Arrays.copyOf(whole, 2));
        for (byte[] input : inputs) {
            Ran ran = start(input);
            assertThat(ran.exit()).as(ran.err()).isZero();
            assertThat(ran.out()).matches("unix:///run/containerd/s/[0-9a-f]{64}");
            defaultFolder = ran.out().substring("unix://".length());
        }
    }

    @Test
    void inputThatIsTooLongIsRefused() throws IOException {
        Ran ran = start(new byte[(16 << 20) + 1]);
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.err()).contains("larger than 16777216 bytes");
        assertThat(ran.out()).isEmpty();
    }

    @Test
    void socketFolderThatIsTooLongIsRefusedWithTheLimit() throws IOException {
        Path deep = folder.resolve("d".repeat(60));
        Ran ran = start(params("c", deep));
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.err()).contains(deep.toString()).contains("longer than 42 bytes");
        assertThat(deep).doesNotExist();
        assertThat(starts()).isEmpty();
    }

    @Test
    void versionIsPrintedWithoutAJvm() throws IOException {
        for (String flag : List.of("-v", "--v")) {
            Ran ran = run(new byte[0], flag);
            assertThat(ran.out()).startsWith("containerd-shim-runc-v2:\n").contains("Version:", "Revision:");
        }
        assertThat(starts()).isEmpty();
    }

    @Test
    void commandLineThatMeansNothingIsRefused() throws IOException {
        assertThat(run(new byte[0], "-nonsense", "x", "start").err()).contains("unknown flag -nonsense");
        assertThat(run(new byte[0], "-id").err()).contains("-id needs a value");
        assertThat(run(new byte[0], "stop").err()).contains("unknown action \"stop\"");
        assertThat(run(new byte[0]).exit()).isEqualTo(1);
        assertThat(starts()).isEmpty();
    }
}
