package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** The stock {@code docker} on a stock {@code dockerd} whose containerd is the suite: containers and their processes. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DockerIT {

    /** Ends with 9 when asked to. */
    private static final String OBEDIENT = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";

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

    /** {@code docker run --rm} of a script; the flags are separated by spaces. */
    private Ran sh(String flags, String script) {
        List<String> arguments = new ArrayList<>(List.of("run", "--rm", "--network", "none"));
        if (!flags.isEmpty()) {
            arguments.addAll(List.of(flags.split(" ")));
        }
        arguments.addAll(List.of(Dockerd.BUSYBOX, "sh", "-c", script));
        return dockerd.docker(arguments.toArray(String[]::new));
    }

    private void sleeper(String name) {
        dockerd.runDetached(name, "sleep", "1000");
    }

    @Test
    void containerRunsToItsEndAndLeavesNothing() {
        Ran ran = sh("", "echo out; echo err >&2; exit 7").exitedWith(7);
        assertThat(ran.out()).isEqualTo("out\n");
        assertThat(ran.err()).isEqualTo("err\n");
        assertThat(dockerd.docker("ps", "--all", "--quiet").ok().out()).isEmpty();
        assertThat(suite.ctr("--namespace", "moby", "containers", "ls", "-q")
                        .ok()
                        .out())
                .isEmpty();
        assertThat(suite.ctr("--namespace", "moby", "tasks", "ls", "-q").ok().out())
                .isEmpty();
    }

    @Test
    void inputReachesTheContainerAndItsEndToo() {
        Ran ran = dockerd.dockerWithInput(
                        "one\ntwo\n",
                        "run",
                        "--rm",
                        "-i",
                        "--network",
                        "none",
                        Dockerd.BUSYBOX,
                        "sh",
                        "-c",
                        "cat; echo end")
                .ok();
        assertThat(ran.out()).isEqualTo("one\ntwo\nend\n");
    }

    @Test
    void longOutputIsNotCut() {
        Ran ran = sh("", "dd if=/dev/zero bs=64k count=80 2>/dev/null | tr '\\000' x")
                .ok();
        assertThat(ran.out()).hasSize(80 * 64 * 1024);
    }

    @Test
    void terminalIsOne() {
        Programs.need("script");
        String command = String.join(
                " ",
                dockerd.command(
                        "run", "--rm", "-t", "--network", "none", Dockerd.BUSYBOX, "sh", "-c", "'tty; exit 5'"));
        assertThat(Programs.run(List.of("script", "-qec", command, "/dev/null"))
                        .exitedWith(5)
                        .out())
                .contains("/dev/pts/0");
    }

    @Test
    void commandThatCannotBeRunIsTold() {
        sh("--entrypoint /bin/does-not-exist", "").exitedWith(127);
        sh("--entrypoint /etc/passwd", "").exitedWith(126);
        assertThat(dockerd.docker("ps", "--all", "--quiet").ok().out()).isEmpty();
        assertThat(suite.ctr("--namespace", "moby", "containers", "ls", "-q")
                        .ok()
                        .out())
                .isEmpty();
    }

    @Test
    void detachedContainerIsLoggedWaitedForAndInspected() {
        dockerd.runDetached("detached", "sh", "-c", "echo out; echo err >&2; sleep 0.5; exit 3");
        assertThat(dockerd.docker("wait", "detached").ok().out()).isEqualTo("3\n");
        Ran logs = dockerd.docker("logs", "detached").ok();
        assertThat(logs.out()).isEqualTo("out\n");
        assertThat(logs.err()).isEqualTo("err\n");
        assertThat(dockerd.inspect("detached", ".State.ExitCode")).isEqualTo("3");
        assertThat(dockerd.inspect("detached", ".State.Status")).isEqualTo("exited");
        dockerd.docker("start", "--attach", "detached").exitedWith(3);
    }

    @Test
    void twoAtOnceDoNotMixUp() {
        try (Running one = Running.start(
                        dockerd.command("run", "--rm", "--network", "none", Dockerd.BUSYBOX, "sh", "-c", "echo one"));
                Running two = Running.start(dockerd.command(
                        "run", "--rm", "--network", "none", Dockerd.BUSYBOX, "sh", "-c", "echo two; exit 2"))) {
            assertThat(one.awaitExit()).as(one.said()).isZero();
            assertThat(two.awaitExit()).as(two.said()).isEqualTo(2);
            assertThat(one.said()).isEqualTo("one\n");
            assertThat(two.said()).isEqualTo("two\n");
        }
    }

    @Test
    void processesAreExecuted() {
        Programs.need("script");
        sleeper("executed");
        Ran ran = dockerd.docker("exec", "executed", "sh", "-c", "echo out; echo err >&2; exit 5")
                .exitedWith(5);
        assertThat(ran.out()).isEqualTo("out\n");
        assertThat(ran.err()).isEqualTo("err\n");
        assertThat(dockerd.dockerWithInput("typed\n", "exec", "-i", "executed", "cat")
                        .ok()
                        .out())
                .isEqualTo("typed\n");
        assertThat(dockerd.docker(
                                "exec",
                                "--user",
                                "1234:567",
                                "--workdir",
                                "/home",
                                "--env",
                                "GREETING=hello",
                                "executed",
                                "sh",
                                "-c",
                                "id -u; id -g; pwd; echo $GREETING")
                        .ok()
                        .lines())
                .containsExactly("1234", "567", "/home", "hello");
        String tty = String.join(" ", dockerd.command("exec", "-t", "executed", "tty"));
        assertThat(Programs.run(List.of("script", "-qec", tty, "/dev/null"))
                        .ok()
                        .out())
                .contains("/dev/pts/");
        // 126 in Docker 20.10, 127 in newer ones.
        assertThat(dockerd.docker("exec", "executed", "/bin/does-not-exist").exit())
                .isBetween(126, 127);
    }

    @Test
    void processesAreListed() {
        sleeper("listed");
        dockerd.docker("exec", "-d", "listed", "sleep", "1001").ok();
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() -> assertThat(dockerd.docker("top", "listed", "-eo", "pid,args")
                                .ok()
                                .out())
                        .contains("sleep 1000")
                        .contains("sleep 1001"));
    }

    @Test
    void statisticsAreThoseOfTheContainer() {
        sleeper("statistics");
        String[] figures = dockerd.docker(
                        "stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.MemUsage}}", "statistics")
                .ok()
                .out()
                .strip()
                .split(" ");
        assertThat(figures).startsWith("statistics", "1");
        assertThat(figures[2]).as("memory").matches("[1-9][0-9.]*[KM]iB");
    }

    @Test
    void pausedContainerStandsStillUntilItGoesOn() {
        sleeper("paused");
        dockerd.docker("pause", "paused").ok();
        assertThat(dockerd.inspect("paused", ".State.Status")).isEqualTo("paused");
        dockerd.docker("exec", "paused", "true").failedWith("paused");
        dockerd.docker("unpause", "paused").ok();
        assertThat(dockerd.inspect("paused", ".State.Status")).isEqualTo("running");
        dockerd.docker("exec", "paused", "true").ok();
    }

    @Test
    void limitsAreChangedWhileItRuns() throws IOException {
        dockerd.docker(
                        "run",
                        "-d",
                        "--network",
                        "none",
                        "--memory",
                        "64m",
                        "--memory-swap",
                        "64m",
                        "--name",
                        "updated",
                        Dockerd.BUSYBOX,
                        "sleep",
                        "1000")
                .ok();
        String pid = Long.toString(dockerd.pid("updated"));
        assertThat(Cgroups.memoryLimit(pid)).isEqualTo("67108864");
        dockerd.docker("update", "--memory", "32m", "--memory-swap", "32m", "updated")
                .ok();
        assertThat(Cgroups.memoryLimit(pid)).isEqualTo("33554432");
    }

    @Test
    void containerOutOfMemoryIsSaidToBe() {
        sh("--memory 16m --memory-swap 16m", "true").ok();
        dockerd.docker(
                        "run",
                        "--network",
                        "none",
                        "--memory",
                        "16m",
                        "--memory-swap",
                        "16m",
                        "--name",
                        "greedy",
                        Dockerd.BUSYBOX,
                        "tail",
                        "/dev/zero")
                .exitedWith(137);
        assertThat(dockerd.inspect("greedy", ".State.OOMKilled")).isEqualTo("true");
    }

    @Test
    void restartedContainerIsANewProcess() {
        dockerd.runDetached("restarted", "sh", "-c", OBEDIENT);
        long pid = dockerd.pid("restarted");
        dockerd.docker("restart", "restarted").ok();
        assertThat(dockerd.inspect("restarted", ".State.Status")).isEqualTo("running");
        assertThat(dockerd.pid("restarted")).isNotEqualTo(pid);
    }

    @Test
    void restartPoliciesAreKept() {
        dockerd.docker(
                        "run",
                        "-d",
                        "--network",
                        "none",
                        "--restart",
                        "on-failure:2",
                        "--name",
                        "failing",
                        Dockerd.BUSYBOX,
                        "sh",
                        "-c",
                        "exit 3")
                .ok();
        dockerd.docker(
                        "run",
                        "-d",
                        "--network",
                        "none",
                        "--restart",
                        "always",
                        "--name",
                        "kept",
                        Dockerd.BUSYBOX,
                        "sleep",
                        "1000")
                .ok();
        long pid = dockerd.pid("kept");
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
        await().atMost(Programs.PATIENCE).until(() -> {
            long now = dockerd.pid("kept");
            return now != 0 && now != pid;
        });
        await().atMost(Programs.PATIENCE)
                .until(() -> dockerd.inspect("failing", ".RestartCount").equals("2")
                        && dockerd.inspect("failing", ".State.Status").equals("exited"));
        assertThat(dockerd.inspect("failing", ".State.ExitCode")).isEqualTo("3");
    }

    @Test
    void signalsAreSent() {
        sleeper("killed");
        dockerd.docker("kill", "killed").ok();
        assertThat(dockerd.docker("wait", "killed").ok().out()).isEqualTo("137\n");
        dockerd.runDetached("signaled", "sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.1; done");
        awaitLogged("signaled", "ready");
        dockerd.docker("kill", "--signal", "USR1", "signaled").ok();
        assertThat(dockerd.docker("wait", "signaled").ok().out()).isEqualTo("9\n");
    }

    @Test
    void stoppedContainerHasItsTimeAndIsThenKilled() {
        dockerd.runDetached("obedient", "sh", "-c", OBEDIENT);
        dockerd.runDetached("deaf", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done");
        awaitLogged("obedient", "ready");
        awaitLogged("deaf", "ready");
        dockerd.docker("stop", "--time", "60", "obedient").ok();
        assertThat(dockerd.inspect("obedient", ".State.ExitCode")).isEqualTo("9");
        dockerd.docker("stop", "--time", "1", "deaf").ok();
        assertThat(dockerd.inspect("deaf", ".State.ExitCode")).isEqualTo("137");
    }

    @Test
    void attachedClientSeesTheOutputAndTheExit() {
        dockerd.runDetached("attached", "sh", "-c", "trap 'exit 4' TERM; while :; do echo tick; sleep 0.1; done");
        try (Running client = Running.start(dockerd.command("attach", "--sig-proxy=false", "attached"))) {
            client.awaitSaid("tick");
            dockerd.docker("kill", "--signal", "TERM", "attached").ok();
            assertThat(client.awaitExit()).isEqualTo(4);
        }
    }

    @Test
    void runningContainerIsRemovedByForce() {
        sleeper("removed");
        long pid = dockerd.pid("removed");
        dockerd.docker("rm", "removed").failedWith("running");
        dockerd.docker("rm", "--force", "removed").ok();
        assertThat(ProcessHandle.of(pid)).isEmpty();
        assertThat(suite.ctr("--namespace", "moby", "containers", "ls", "-q")
                        .ok()
                        .out())
                .isEmpty();
    }

    @Test
    void healthIsChecked() {
        dockerd.docker(
                        "run",
                        "-d",
                        "--network",
                        "none",
                        "--health-cmd",
                        "test -e /healthy",
                        "--health-interval",
                        "1s",
                        "--health-retries",
                        "1",
                        "--name",
                        "checked",
                        Dockerd.BUSYBOX,
                        "sleep",
                        "1000")
                .ok();
        await().atMost(Programs.PATIENCE)
                .until(() -> dockerd.inspect("checked", ".State.Health.Status").equals("unhealthy"));
        dockerd.docker("exec", "checked", "touch", "/healthy").ok();
        await().atMost(Programs.PATIENCE)
                .until(() -> dockerd.inspect("checked", ".State.Health.Status").equals("healthy"));
    }

    @Test
    void eventsAreToldInTheirOrder() {
        try (Running events = Running.start(
                dockerd.command("events", "--filter", "container=eventful", "--format", "{{.Action}};"))) {
            dockerd.runDetached("eventful", "sh", "-c", OBEDIENT);
            awaitLogged("eventful", "ready");
            dockerd.docker("exec", "eventful", "true").ok();
            dockerd.docker("pause", "eventful").ok();
            dockerd.docker("unpause", "eventful").ok();
            dockerd.docker("stop", "eventful").ok();
            dockerd.docker("rm", "eventful").ok();
            events.awaitSaid("destroy;");
            // Newer Dockers tell of the end and of the stop at the same time.
            assertThat(events.said())
                    .containsSubsequence(
                            "create;",
                            "start;",
                            "exec_create: true",
                            "exec_start: true",
                            "exec_die;",
                            "pause;",
                            "unpause;",
                            "kill;",
                            "die;",
                            "destroy;")
                    .containsSubsequence("kill;", "stop;", "destroy;");
        }
    }

    private void awaitLogged(String name, String part) {
        await().atMost(Programs.PATIENCE)
                .until(() -> dockerd.docker("logs", name).ok().out().contains(part));
    }
}
