package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Stock {@code ctr tasks}. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CtrTasksIT {

    private static final String BUSYBOX = "docker.io/library/busybox:latest";

    private Suite suite;

    @BeforeAll
    void up() {
        suite = Suite.up();
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
        suite.removeContainers();
    }

    private void sleeper(String id) {
        suite.ctr("run", "-d", BUSYBOX, id, "sleep", "1000").ok();
    }

    private String status(String id) {
        return suite.ctr("tasks", "ls").ok().row(id)[2];
    }

    private void awaitStatus(String id, String status) {
        await().atMost(Programs.PATIENCE).until(() -> status(id).equals(status));
    }

    @Test
    void processesAreListed() {
        sleeper("listed");
        String pid = suite.ctr("tasks", "ls").ok().row("listed")[1];
        assertThat(suite.ctr("tasks", "ps", "listed").ok().rows(pid)).hasSize(1);
        suite.ctr("tasks", "exec", "-d", "--exec-id", "second", "listed", "sleep", "1001")
                .ok();
        Ran processes = suite.ctr("tasks", "ps", "listed").ok();
        assertThat(processes.lines()).hasSize(3);
        assertThat(processes.out()).contains("second");
    }

    @Test
    void processIsExecuted() {
        sleeper("executed");
        Ran ran = suite.ctr(
                        "tasks", "exec", "--exec-id", "one", "executed", "sh", "-c", "echo out; echo err >&2; exit 5")
                .exitedWith(5);
        assertThat(ran.out()).isEqualTo("out\n");
        assertThat(ran.err()).isEqualTo("err\n");
        assertThat(suite.ctrWithInput("typed\n", "tasks", "exec", "--exec-id", "two", "executed", "cat")
                        .ok()
                        .out())
                .isEqualTo("typed\n");
        assertThat(suite.ctr(
                                "tasks",
                                "exec",
                                "--exec-id",
                                "three",
                                "--cwd",
                                "/home",
                                "--user",
                                "1234",
                                "executed",
                                "sh",
                                "-c",
                                "pwd; id -u")
                        .ok()
                        .lines())
                .containsExactly("/home", "1234");
    }

    @Test
    void terminalOfAnExecutedProcessIsOne() {
        Programs.need("script");
        sleeper("exec-terminal");
        String command =
                String.join(" ", suite.ctrCommand("tasks", "exec", "-t", "--exec-id", "tty", "exec-terminal", "tty"));
        assertThat(Programs.run(List.of("script", "-qec", command, "/dev/null"))
                        .ok()
                        .out())
                .contains("/dev/pts/");
    }

    @Test
    void commandThatIsNotThereIsNotExecuted() {
        sleeper("exec-unknown");
        suite.ctr("tasks", "exec", "--exec-id", "bad", "exec-unknown", "/bin/does-not-exist")
                .failedWith("no such file or directory");
        assertThat(status("exec-unknown")).isEqualTo("RUNNING");
    }

    @Test
    void execIdThatIsTakenIsRefused() {
        sleeper("exec-taken");
        suite.ctr("tasks", "exec", "-d", "--exec-id", "taken", "exec-taken", "sleep", "1000")
                .ok();
        suite.ctr("tasks", "exec", "-d", "--exec-id", "taken", "exec-taken", "sleep", "1000")
                .failedWith("already exists");
        suite.ctr("tasks", "kill", "-s", "KILL", "--exec-id", "taken", "exec-taken")
                .ok();
        await().atMost(Programs.PATIENCE)
                .until(() -> suite.ctr("tasks", "delete", "--exec-id", "taken", "exec-taken")
                                .exit()
                        != 1);
        await().atMost(Programs.PATIENCE)
                .until(() -> !suite.ctr("tasks", "ps", "exec-taken").ok().out().contains("taken"));
    }

    @Test
    void attachedClientSeesTheOutput() {
        suite.ctr(
                        "run",
                        "-d",
                        BUSYBOX,
                        "attached",
                        "sh",
                        "-c",
                        "trap 'exit 4' TERM; while :; do echo tick; sleep 0.1; done")
                .ok();
        try (Running client = Running.start(suite.ctrCommand("tasks", "attach", "attached"))) {
            client.awaitSaid("tick");
            suite.ctr("tasks", "kill", "attached").ok();
            assertThat(client.awaitExit()).isEqualTo(4);
        }
    }

    @Test
    void pausedTaskStandsStillUntilResumed() {
        sleeper("paused");
        suite.ctr("tasks", "pause", "paused").ok();
        assertThat(status("paused")).isEqualTo("PAUSED");
        suite.ctr("tasks", "exec", "--exec-id", "frozen", "paused", "true").failedWith("paused");
        suite.ctr("tasks", "resume", "paused").ok();
        assertThat(status("paused")).isEqualTo("RUNNING");
        suite.ctr("tasks", "exec", "--exec-id", "thawed", "paused", "true").ok();
    }

    @Test
    void signalsAreSent() {
        suite.ctr("run", "-d", BUSYBOX, "signals", "sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.1; done")
                .ok();
        suite.ctr("tasks", "kill", "-s", "SIGUSR1", "signals").ok();
        awaitStatus("signals", "STOPPED");
        assertThat(suite.ctr("tasks", "delete", "signals").err()).contains("exit code 9");
    }

    @Test
    void allProcessesAreKilled() {
        sleeper("all");
        suite.ctr("tasks", "exec", "-d", "--exec-id", "more", "all", "sleep", "1000")
                .ok();
        suite.ctr("tasks", "kill", "--all", "-s", "KILL", "all").ok();
        awaitStatus("all", "STOPPED");
        suite.ctr("tasks", "kill", "all").failedWith("not found");
    }

    @Test
    void runningTaskIsNotDeletedUnlessForced() {
        sleeper("deleted");
        suite.ctr("tasks", "delete", "deleted").failedWith("must be stopped");
        suite.ctr("containers", "delete", "deleted").failedWith("");
        assertThat(suite.ctr("tasks", "delete", "--force", "deleted").err()).contains("exit code 137");
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).doesNotContain("deleted");
        suite.ctr("containers", "delete", "deleted").ok();
        assertThat(suite.ctr("snapshots", "ls").ok().rows("deleted")).isEmpty();
    }

    @Test
    void createdContainerIsStartedLater() {
        suite.ctr("containers", "create", BUSYBOX, "later", "ls", "/home", "/nothing")
                .ok();
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).doesNotContain("later");
        assertThat(suite.ctr("tasks", "start", "later").exitedWith(1).out()).isEqualTo("/home:\n");
        suite.ctr("containers", "delete", "later").ok();
    }

    @Test
    void metricsAreThoseOfTheContainer() {
        sleeper("metrics");
        assertThat(suite.ctr("tasks", "metrics", "metrics").ok().out())
                .contains("metrics")
                .containsPattern("memory\\.usage");
        assertThat(suite.ctr("tasks", "metrics", "--format", "json", "metrics")
                        .ok()
                        .out())
                .contains("\"pids\"")
                .contains("\"usage\"");
    }

    @Test
    void checkpointIsWritten(@TempDir Path folder) {
        Programs.need("criu");
        Ran check = Programs.run(List.of("criu", "check"));
        assumeTrue(
                check.exit() == 0,
                "CRIU does not work on this machine: "
                        + check.err().lines().reduce((_, last) -> last).orElse("no reason given"));
        sleeper("checkpointed");
        suite.ctr(
                        "tasks",
                        "checkpoint",
                        "--exit",
                        "--image-path",
                        folder.resolve("image").toString(),
                        "checkpointed")
                .ok();
        assertThat(folder.resolve("image")).isNotEmptyDirectory();
        awaitStatus("checkpointed", "STOPPED");
    }

    @Test
    void checkpointThatFailsLeavesTheTaskRunning(@TempDir Path folder) {
        assumeFalse(
                Programs.installed("criu")
                        && Programs.run(List.of("criu", "check")).exit() == 0,
                "CRIU works here: checkpointIsWritten tests the other case");
        sleeper("no-checkpoint");
        suite.ctr("tasks", "checkpoint", "--image-path", folder.resolve("image").toString(), "no-checkpoint")
                .failedWith("criu");
        assertThat(status("no-checkpoint")).isEqualTo("RUNNING");
    }

    @Test
    void unknownTaskIsNotFound() {
        suite.ctr("tasks", "kill", "nobody").failedWith("not found");
        suite.ctr("tasks", "exec", "--exec-id", "x", "nobody", "true").failedWith("not found");
        suite.ctr("tasks", "pause", "nobody").failedWith("not found");
        suite.ctr("tasks", "ps", "nobody").failedWith("not found");
        suite.ctr("tasks", "metrics", "nobody").failedWith("not found");
    }
}
