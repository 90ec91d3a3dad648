package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** {@code kill -9} of each program of the suite, with containers running: nothing that a client was told is lost. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KillIT {

    private static final String BUSYBOX = "docker.io/library/busybox:latest";

    private Suite suite;

    @BeforeAll
    void up() {
        suite = Suite.up();
        assumeFalse(suite.isPeer(), "is about what Longshore does better");
        suite.importBusybox(BUSYBOX);
    }

    @AfterAll
    void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @AfterEach
    void removeContainers() {
        suite.start();
        suite.removeContainers();
    }

    /** Runs a shell in a container, in the background. */
    private void shell(String id, String script) {
        suite.ctr("run", "-d", BUSYBOX, id, "sh", "-c", script).ok();
    }

    private Counter counter(String id, int code) {
        return Counter.start(suite, "overlayfs", BUSYBOX, id, code);
    }

    private long pidOf(String id) {
        return Long.parseLong(suite.ctr("tasks", "ls").ok().row(id)[1]);
    }

    private static long parentOf(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
                .filter(line -> line.startsWith("PPid:"))
                .map(line -> Long.parseLong(line.substring("PPid:".length()).strip()))
                .findFirst()
                .orElseThrow();
    }

    private static void kill(long pid) {
        ProcessHandle process = ProcessHandle.of(pid).orElseThrow();
        process.destroyForcibly();
        Programs.awaitEnd(pid);
    }

    @Test
    void killedDaemonFindsItsContainersAgain() {
        Counter runsOn = counter("runs-on", 7);
        shell("ends-meanwhile", "sleep 1; exit 9");
        Counter paused = counter("paused", 8);
        suite.ctr("tasks", "pause", "paused").ok();
        long pid = pidOf("runs-on");

        suite.kill("longshored");
        ProcessHandle meanwhile = ProcessHandle.of(pid).orElseThrow();
        assertThat(meanwhile.isAlive()).as("the container without a daemon").isTrue();
        suite.start();

        assertThat(pidOf("runs-on")).isEqualTo(pid);
        Counter.stopsWith(suite, "ends-meanwhile", 9);
        assertThat(suite.status("paused")).isEqualTo("PAUSED");
        suite.ctr("tasks", "resume", "paused").ok();
        paused.livesAndEnds();
        runsOn.livesAndEnds();
    }

    @Test
    void killedShimIsReplacedAndItsContainersEndWithTheirOwnCodes() throws IOException {
        Counter first = counter("first", 7);
        Counter second = counter("second", 8);
        long pid = pidOf("first");
        long shim = parentOf(pid);
        assertThat(parentOf(pidOf("second"))).as("one shim has both containers").isEqualTo(shim);

        kill(shim);

        first.livesAndEnds();
        second.livesAndEnds();
    }

    @Test
    void killedSnapshotterIsMissedByNobodyButItsOwnCallers() {
        Counter runsOn = counter("runs-on", 7);
        List<String> snapshots = suite.ctr("snapshots", "ls").ok().lines();

        suite.kill("longshore-snapshotter-overlay");
        assertThat(suite.status("runs-on")).isEqualTo("RUNNING");
        suite.exec("runs-on", "true").ok();
        suite.ctr("images", "ls").ok().row(BUSYBOX);
        suite.ctr("run", "--rm", BUSYBOX, "needs-it", "true").failedWith("overlayfs");
        suite.start();

        suite.ctr("run", "--rm", BUSYBOX, "has-it", "true").ok();
        assertThat(suite.ctr("snapshots", "ls").ok().lines()).containsAll(snapshots);
        runsOn.livesAndEnds();
    }

    @Test
    void allOfThemKilledAtOnceLoseNothing() throws IOException {
        Counter survivor = counter("survivor", 7);
        suite.ctr("images", "tag", "--force", BUSYBOX, "docker.io/library/tagged:1")
                .ok();
        suite.ctr("images", "label", "docker.io/library/tagged:1", "kept=yes").ok();
        suite.ctr("leases", "create", "--id", "lease-kept").ok();
        suite.ctr("snapshots", "prepare", "prepared").ok();
        long shim = parentOf(pidOf("survivor"));

        suite.kill("longshored");
        kill(shim);
        suite.kill("longshore-snapshotter-overlay");
        suite.start();

        assertThat(suite.ctr("images", "ls").ok().out()).contains("kept=yes");
        assertThat(suite.ctr("leases", "ls").ok().out()).contains("lease-kept");
        assertThat(suite.ctr("snapshots", "info", "prepared").ok().out()).contains("Active");
        suite.ctr("snapshots", "rm", "prepared").ok();
        suite.ctr("leases", "delete", "lease-kept").ok();
        suite.ctr("images", "rm", "docker.io/library/tagged:1").ok();
        survivor.livesAndEnds();
    }

    /** The daemon is killed while a client makes one thing after another: what it was told is there. */
    @Test
    void whatWasAcknowledgedIsThereHoweverOftenTheDaemonIsKilled() {
        for (int round = 0; round < 3; round++) {
            String prefix = "round-" + round + "-";
            List<Integer> acknowledged = new java.util.concurrent.CopyOnWriteArrayList<>();
            Thread client = Thread.ofPlatform()
                    .start(() -> IntStream.range(0, 1000)
                            .takeWhile(i -> suite.ctr("snapshots", "prepare", prefix + i)
                                                    .exit()
                                            == 0
                                    && suite.ctr("leases", "create", "--id", prefix + i)
                                                    .exit()
                                            == 0)
                            .forEach(acknowledged::add));
            await().atMost(Programs.PATIENCE).until(() -> acknowledged.size() >= 5);
            suite.kill("longshored");
            await().atMost(Programs.PATIENCE).until(() -> !client.isAlive());
            suite.start();

            List<String> snapshots = suite.ctr("snapshots", "ls").ok().lines();
            List<String> leases = suite.ctr("leases", "ls", "-q").ok().lines();
            for (int i : acknowledged) {
                assertThat(snapshots).anyMatch(line -> line.startsWith(prefix + i + " "));
                assertThat(leases).contains(prefix + i);
            }
        }
    }
}
