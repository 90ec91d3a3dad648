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

    /** One that ends with {@code code} when it is sent SIGTERM, and counts meanwhile. */
    private void counter(String id, int code) {
        shell(id, "trap 'exit %d' TERM; while true; do echo >>/count; sleep 0.05; done".formatted(code));
        await().atMost(Programs.PATIENCE).until(() -> count(id) > 0);
    }

    private int count(String id) {
        return Integer.parseInt(
                exec(id, "sh", "-c", "wc -l </count").ok().lines().getFirst());
    }

    private Ran exec(String id, String... command) {
        List<String> arguments = new java.util.ArrayList<>(
                List.of("tasks", "exec", "--exec-id", "e" + Long.toHexString(System.nanoTime()), id));
        arguments.addAll(List.of(command));
        return suite.ctr(arguments.toArray(String[]::new));
    }

    private String status(String id) {
        return suite.ctr("tasks", "ls").ok().row(id)[2];
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
        await().atMost(Programs.PATIENCE).until(() -> !process.isAlive());
    }

    /** The container runs, takes orders, and ends with its own code. */
    private void livesAndEndsWith(String id, int code) {
        await().atMost(Programs.PATIENCE).until(() -> status(id).equals("RUNNING"));
        int before = count(id);
        await().atMost(Programs.PATIENCE).until(() -> count(id) > before);
        suite.ctr("tasks", "kill", "-s", "SIGTERM", id).ok();
        stopsWith(id, code);
    }

    private void stopsWith(String id, int code) {
        await().atMost(Programs.PATIENCE).until(() -> status(id).equals("STOPPED"));
        assertThat(suite.ctr("tasks", "delete", id).err())
                .as("what the deletion of %s says of its exit", id)
                .contains("exit code " + code);
    }

    @Test
    void killedDaemonFindsItsContainersAgain() {
        counter("runs-on", 7);
        shell("ends-meanwhile", "sleep 1; exit 9");
        counter("paused", 8);
        suite.ctr("tasks", "pause", "paused").ok();
        long pid = pidOf("runs-on");

        suite.kill("longshored");
        ProcessHandle meanwhile = ProcessHandle.of(pid).orElseThrow();
        assertThat(meanwhile.isAlive()).as("the container without a daemon").isTrue();
        suite.start();

        assertThat(pidOf("runs-on")).isEqualTo(pid);
        stopsWith("ends-meanwhile", 9);
        assertThat(status("paused")).isEqualTo("PAUSED");
        suite.ctr("tasks", "resume", "paused").ok();
        livesAndEndsWith("paused", 8);
        livesAndEndsWith("runs-on", 7);
    }

    @Test
    void killedShimIsReplacedAndItsContainersEndWithTheirOwnCodes() throws IOException {
        counter("first", 7);
        counter("second", 8);
        long pid = pidOf("first");
        long shim = parentOf(pid);
        assertThat(parentOf(pidOf("second"))).as("one shim has both containers").isEqualTo(shim);

        kill(shim);

        livesAndEndsWith("first", 7);
        livesAndEndsWith("second", 8);
    }

    @Test
    void killedSnapshotterIsMissedByNobodyButItsOwnCallers() {
        counter("runs-on", 7);
        List<String> snapshots = suite.ctr("snapshots", "ls").ok().lines();

        suite.kill("longshore-snapshotter-overlay");
        assertThat(status("runs-on")).isEqualTo("RUNNING");
        exec("runs-on", "true").ok();
        suite.ctr("images", "ls").ok().row(BUSYBOX);
        suite.ctr("run", "--rm", BUSYBOX, "needs-it", "true").failedWith("overlayfs");
        suite.start();

        suite.ctr("run", "--rm", BUSYBOX, "has-it", "true").ok();
        assertThat(suite.ctr("snapshots", "ls").ok().lines()).containsAll(snapshots);
        livesAndEndsWith("runs-on", 7);
    }

    @Test
    void allOfThemKilledAtOnceLoseNothing() throws IOException {
        counter("survivor", 7);
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
        livesAndEndsWith("survivor", 7);
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
