package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** The snapshotter of {@code examples}, as a vendor would bring it: a program of its own, verified, declared and used. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ExamplePluginIT {

    private static final String BUSYBOX = "docker.io/library/busybox:latest";

    private Path folder;

    private Path socket;
    private Process plugin;
    private Suite suite;

    @BeforeAll
    void start(@TempDir Path temporary) throws IOException {
        Programs.needRoot();
        assumeFalse("containerd".equals(System.getProperty("longshore.peer")), "is declared to Longshore's daemon");
        folder = temporary;
        socket = folder.resolve("copy.sock");
        List<String> command = new ArrayList<>(TestPlugin.copyProgram());
        command.addAll(List.of(
                "--address", socket.toString(), "--root", folder.resolve("root").toString()));
        plugin = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        await().atMost(Programs.PATIENCE).until(() -> Files.exists(socket) || !plugin.isAlive());
        assertThat(plugin.isAlive()).as(Files.readString(folder.resolve("log"))).isTrue();
        suite = Suite.up();
        Files.writeString(suite.root().resolve("config.toml"), """

                [proxy_plugins.copy]
                  type = "snapshot"
                  address = "%s"
                """.formatted(socket), StandardOpenOption.APPEND);
        suite.kill("longshored");
        suite.start();
        suite.importBusybox(BUSYBOX);
    }

    @AfterAll
    void stop() throws InterruptedException {
        if (suite != null) {
            suite.close();
        }
        if (plugin != null) {
            plugin.destroy();
            plugin.waitFor();
        }
    }

    private Ran longshore(String... arguments) {
        return Programs.run(Stream.concat(
                        Stream.of(Suite.distribution().resolve("bin/longshore").toString()), Stream.of(arguments))
                .toList());
    }

    @Test
    void aContainerRunsOnIt() {
        assertThat(suite.ctr("run", "--snapshotter", "copy", "--rm", BUSYBOX, "copied", "echo", "hello")
                        .ok()
                        .out())
                .contains("hello");
        assertThat(suite.ctr("snapshots", "--snapshotter", "copy", "ls").ok().out())
                .contains("Committed");
    }

    @Test
    void theDistributionsClientVerifiesIt() {
        Ran ran = longshore(
                        "plugin",
                        "verify",
                        "--type",
                        "snapshot",
                        "--address",
                        socket.toString(),
                        "--timeout",
                        "60",
                        "--only",
                        "devicesAndAttributesAreKept")
                .ok();
        assertThat(ran.lines())
                .containsExactly("pass  devices and attributes are kept", "1 passed, 0 failed, 0 skipped");
    }

    /** The daemon's own serves on the daemon's socket, where its blobs are, too. */
    @Test
    void theDistributionsClientVerifiesADiffer() {
        Ran ran = longshore(
                        "plugin",
                        "verify",
                        "--type",
                        "diff",
                        "--address",
                        suite.address().toString(),
                        "--timeout",
                        "60",
                        "--only",
                        "timesAreNotLaterThanTheEpochAskedFor",
                        "--strict")
                .ok();
        assertThat(ran.lines())
                .containsExactly("pass  times are not later than the epoch asked for", "1 passed, 0 failed, 0 skipped");
        assertThat(suite.ctr("--namespace", "longshore-verify", "content", "ls", "-q")
                        .ok()
                        .lines())
                .isEmpty();
    }

    @Test
    void anAddressThatNobodyServesIsOneLine() {
        Ran ran = longshore(
                        "plugin",
                        "verify",
                        "--type",
                        "snapshot",
                        "--address",
                        folder.resolve("none").toString())
                .exitedWith(1);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err().lines().toList())
                .hasSize(1)
                .first()
                .asString()
                .contains("its socket is not there: start it, or correct its address");
    }

    /** As a person does with ctrl-C: what the sentence that was under way made is removed all the same. */
    @Test
    void whatAnInterruptedVerificationMadeIsRemoved() throws Exception {
        List<String> before = keys();
        Path out = folder.resolve("interrupted");
        // Who runs the tests in the background may have them ignore ctrl-C, which is inherited.
        Process verify = new ProcessBuilder(
                        "env",
                        "--default-signal=INT",
                        Suite.distribution().resolve("bin/longshore").toString(),
                        "plugin",
                        "verify",
                        "--type",
                        "snapshot",
                        "--address",
                        socket.toString(),
                        "--timeout",
                        "60",
                        "--only",
                        "aHundredAndTwentyEightLayersAreNotTooMany")
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        await().atMost(Programs.PATIENCE).until(() -> keys().size() > before.size() + 5);

        Programs.run(List.of("kill", "-INT", "" + verify.pid())).ok();
        verify.waitFor();

        assertThat(verify.exitValue()).isNotZero();
        assertThat(keys()).as(Files.readString(out)).containsExactlyInAnyOrderElementsOf(before);
        assertThat(Files.readString(Path.of("/proc/self/mountinfo")))
                .doesNotContain(folder.resolve("root").toString());
    }

    private List<String> keys() throws IOException {
        try (Stream<Path> folders = Files.list(folder.resolve("root"))) {
            return folders.map(Path::toString).sorted().toList();
        }
    }
}
