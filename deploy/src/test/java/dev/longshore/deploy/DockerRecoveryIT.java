package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** {@code dockerd} and the suite below it die in turn, and containers run on. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DockerRecoveryIT {

    private Suite suite;
    private Dockerd dockerd;

    @BeforeAll
    void up() {
        Dockerd.need();
        suite = Suite.up();
        dockerd = Dockerd.on(suite);
        dockerd.importBusybox();
    }

    @AfterAll
    void down() {
        Dockerd.closeAfter(dockerd, suite);
    }

    @AfterEach
    void removeContainers() {
        dockerd.removeContainers();
    }

    private String ticks(String name) {
        return dockerd.docker("logs", name).ok().out();
    }

    private void ticker(String name) {
        dockerd.runDetached(name, "sh", "-c", "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.1; done");
        await().atMost(Programs.PATIENCE).until(() -> ticks(name).contains("tick 1\n"));
    }

    /** That the container goes on, writes on, takes commands, and ends as it is told to. */
    private void requireWell(String name, long pid) {
        assertThat(dockerd.pid(name)).isEqualTo(pid);
        assertThat(dockerd.docker("exec", name, "echo", "here").ok().out()).isEqualTo("here\n");
        int before = ticks(name).length();
        await().atMost(Programs.PATIENCE).until(() -> ticks(name).length() > before);
        dockerd.docker("stop", "--time", "0", name).ok();
        assertThat(dockerd.inspect(name, ".State.ExitCode")).isEqualTo("137");
    }

    /** Has a container end that waits for the file {@code /end}. */
    private static void end(long pid) throws IOException {
        Files.createFile(Path.of("/proc", Long.toString(pid), "root/end"));
        Programs.awaitEnd(pid);
    }

    @Test
    void containerOutlivesDockerd() {
        ticker("outlives");
        long pid = dockerd.pid("outlives");
        dockerd.kill();
        dockerd.start();
        requireWell("outlives", pid);
    }

    @Test
    void containerThatEndsWithoutDockerdIsToldToTheNext() throws IOException {
        dockerd.runDetached("ends", "sh", "-c", "while [ ! -e /end ]; do sleep 0.1; done; exit 6");
        long pid = dockerd.pid("ends");
        dockerd.kill();
        end(pid);
        dockerd.start();
        dockerd.awaitStatus("ends", "exited");
        assertThat(dockerd.inspect("ends", ".State.ExitCode")).isEqualTo("6");
    }

    @Test
    void containerOutlivesTheSuitesDaemon() {
        ticker("unaware");
        long pid = dockerd.pid("unaware");
        suite.kill("longshored");
        suite.start();
        // dockerd looks for its containerd again by itself, in its own time.
        await().atMost(Programs.PATIENCE)
                .until(() -> dockerd.docker("exec", "unaware", "true").exit() == 0);
        requireWell("unaware", pid);
        assertThat(dockerd.docker("run", "--rm", "--network", "none", Dockerd.BUSYBOX, "echo", "new")
                        .ok()
                        .out())
                .isEqualTo("new\n");
    }

    @Test
    void containerThatEndsWithoutEitherIsToldToTheNext() throws IOException {
        dockerd.runDetached("orphan", "sh", "-c", "while [ ! -e /end ]; do sleep 0.1; done; exit 6");
        long pid = dockerd.pid("orphan");
        dockerd.kill();
        suite.kill("longshored");
        end(pid);
        suite.start();
        dockerd.start();
        dockerd.awaitStatus("orphan", "exited");
        assertThat(dockerd.inspect("orphan", ".State.ExitCode")).isEqualTo("6");
    }

    @Test
    void bothAreKilled() {
        ticker("twice");
        long pid = dockerd.pid("twice");
        dockerd.kill();
        suite.kill("longshored");
        suite.start();
        dockerd.start();
        requireWell("twice", pid);
    }
}
