package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Stock {@code ctr run}, flag by flag. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CtrRunIT {

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

    /** {@code ctr run --rm FLAGS busybox ID sh -c SCRIPT}; the flags are separated by spaces. */
    private Ran sh(String flags, String id, String script) {
        List<String> arguments = new ArrayList<>(List.of("run", "--rm"));
        if (!flags.isEmpty()) {
            arguments.addAll(List.of(flags.split(" ")));
        }
        arguments.addAll(List.of(BUSYBOX, id, "sh", "-c", script));
        return suite.ctr(arguments.toArray(String[]::new));
    }

    @Test
    void containerRunsAndLeavesNothing() {
        List<String> before = suite.ctr("snapshots", "ls").ok().lines();
        assertThat(sh("", "plain", "echo out; echo err >&2").ok().out()).isEqualTo("out\n");
        assertThat(suite.ctr("containers", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("snapshots", "ls").ok().lines()).isEqualTo(before);
        assertThat(Programs.run(List.of("grep", "-c", suite.root() + ".*/plain/", "/proc/self/mountinfo"))
                        .out())
                .as("mounts of the bundle")
                .isEqualTo("0\n");
    }

    @Test
    void bothStreamsArriveWhereTheyBelong() {
        Ran ran = sh("", "streams", "echo out; echo err >&2").ok();
        assertThat(ran.out()).isEqualTo("out\n");
        assertThat(ran.err()).isEqualTo("err\n");
    }

    @Test
    void exitCodeIsTheContainers() {
        sh("", "exit7", "exit 7").exitedWith(7);
    }

    @Test
    void inputReachesTheContainer() {
        // ctr forgets to say that its input has ended when that happens before the task runs.
        try (Running client = Running.start(
                suite.ctrCommand("run", "--rm", BUSYBOX, "input", "sh", "-c", "echo ready; cat; echo end"))) {
            client.awaitSaid("ready");
            client.type("one\n");
            client.awaitSaid("one");
            client.type("two\n");
            client.endInput();
            assertThat(client.awaitExit()).isZero();
            assertThat(client.said()).isEqualTo("ready\none\ntwo\nend\n");
        }
    }

    @Test
    void longOutputIsNotCut() {
        Ran ran = sh("", "long", "dd if=/dev/zero bs=64k count=80 2>/dev/null | tr '\\000' x")
                .ok();
        assertThat(ran.out()).hasSize(80 * 64 * 1024);
    }

    @Test
    void fourAtOnceDoNotMixUp() {
        List<Running> running = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            running.add(Running.start(suite.ctrCommand("run", "--rm", BUSYBOX, "at-once-" + i, "echo", "number " + i)));
        }
        for (int i = 0; i < 4; i++) {
            try (Running one = running.get(i)) {
                assertThat(one.awaitExit()).as(one.said()).isZero();
                assertThat(one.said()).isEqualTo("number " + i + "\n");
            }
        }
    }

    @Test
    void detachedContainerRunsOnAndItsPidIsInTheFile(@TempDir Path folder) throws IOException {
        Path pidFile = folder.resolve("pid");
        suite.ctr("run", "-d", "--pid-file", pidFile.toString(), BUSYBOX, "detached", "sleep", "1000")
                .ok();
        String[] row = suite.ctr("tasks", "ls").ok().row("detached");
        assertThat(row[2]).isEqualTo("RUNNING");
        assertThat(Files.readString(pidFile).strip()).isEqualTo(row[1]);
        assertThat(Files.readString(Path.of("/proc", row[1], "cmdline"))).startsWith("sleep");
    }

    @Test
    void terminalIsOne() {
        Programs.need("script");
        String command = String.join(
                " ",
                suite.ctrCommand(
                        "run",
                        "--rm",
                        "-t",
                        BUSYBOX,
                        "terminal",
                        "sh",
                        "-c", // The client tells the size only after the start.
                        "'tty; until stty size 2>&1 | grep 31; do sleep 0.05; done'"));
        Ran ran = Programs.run(List.of("script", "-qec", "stty rows 31 cols 97; " + command, "/dev/null"))
                .ok();
        assertThat(ran.out()).contains("/dev/pts/0").contains("31 97");
    }

    @Test
    void environmentIsAdded() {
        assertThat(sh("--env GREETING=hello --env EMPTY=", "env", "echo $GREETING; env | grep -c ^EMPTY=$")
                        .ok()
                        .lines())
                .containsExactly("hello", "1");
    }

    @Test
    void workingFolderIsSet() {
        assertThat(sh("--cwd /home", "cwd", "pwd").ok().out()).isEqualTo("/home\n");
    }

    @Test
    void userIsSetByNumberAndByName() {
        assumeTrue(
                suite.ctr("run", "--help").out().contains("--user"),
                "this ctr has no run --user (1.6): see tasks exec --user for this one");
        assertThat(sh("--user 1234:567", "user-number", "id -u; id -g").ok().lines())
                .containsExactly("1234", "567");
        assertThat(sh("--user nobody", "user-name", "id -u; id -g").ok().lines())
                .containsExactly("65534", "65534");
        sh("--user stranger", "user-unknown", "id").failedWith("no users found");
    }

    @Test
    void folderOfTheHostIsMounted(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("file"), "from the host");
        assertThat(sh(
                                "--mount type=bind,src=%s,dst=/host,options=rbind:rw".formatted(folder),
                                "mount",
                                "cat /host/file; echo from the container > /host/back")
                        .ok()
                        .out())
                .isEqualTo("from the host");
        assertThat(folder.resolve("back")).hasContent("from the container\n");
        sh("--mount type=bind,src=%s,dst=/host,options=rbind:ro".formatted(folder), "mount-ro", "touch /host/new")
                .failedWith("Read-only");
    }

    @Test
    void memoryIsLimited() throws IOException {
        suite.ctr("run", "-d", "--memory-limit", "33554432", BUSYBOX, "limited", "sleep", "1000")
                .ok();
        String pid = suite.ctr("tasks", "ls").ok().row("limited")[1];
        assertThat(Cgroups.memoryLimit(pid)).isEqualTo("33554432");
    }

    @Test
    void containerOutOfMemoryIsKilled() {
        sh("--memory-limit 16777216", "greedy", "tail /dev/zero").exitedWith(137);
    }

    @Test
    void readOnlyRootCannotBeWritten() {
        sh("--read-only", "read-only", "touch /new").failedWith("Read-only");
    }

    @Test
    void rootFileSystemOfOnesOwnIsUsed(@TempDir Path folder) throws IOException {
        Path rootfs = folder.resolve("rootfs");
        Path mounted = Files.createDirectory(folder.resolve("mounted"));
        suite.ctr("images", "mount", BUSYBOX, mounted.toString()).ok();
        try {
            Programs.run(List.of("cp", "-a", mounted.toString(), rootfs.toString()))
                    .ok();
        } finally {
            suite.ctr("images", "unmount", "--rm", mounted.toString()).ok();
        }
        Files.writeString(rootfs.resolve("mine"), "my own root");
        assertThat(suite.ctr("run", "--rm", "--rootfs", rootfs.toString(), "rootfs", "/bin/cat", "/mine")
                        .ok()
                        .out())
                .isEqualTo("my own root");
    }

    @Test
    void outputGoesToALogFile(@TempDir Path folder) {
        Path log = folder.resolve("logs/container.log");
        suite.ctr(
                        "run",
                        "-d",
                        "--log-uri",
                        "file://" + log,
                        BUSYBOX,
                        "logged",
                        "sh",
                        "-c",
                        "echo out; echo err >&2; sleep 1000")
                .ok();
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() -> assertThat(log).content().contains("out\n", "err\n"));
    }

    @Test
    void outputGoesToALoggingProgram(@TempDir Path folder) throws IOException {
        Path program = folder.resolve("logger");
        Path log = folder.resolve("log");
        Files.writeString(program, """
                #!/bin/sh
                exec 5>&-
                { echo "$CONTAINER_NAMESPACE/$CONTAINER_ID"; cat <&3; } > %s
                """.formatted(log));
        program.toFile().setExecutable(true);
        suite.ctr("run", "-d", "--log-uri", "binary://" + program, BUSYBOX, "logger", "echo", "logged")
                .ok();
        await().atMost(Programs.PATIENCE)
                .untilAsserted(() -> assertThat(log).content().isEqualTo("default/logger\nlogged\n"));
    }

    @Test
    void outputOfADiscardingContainerIsDiscarded() {
        assertThat(sh("--null-io", "null-io", "echo nothing").ok().out()).isEmpty();
    }

    @Test
    void networkOfTheHostIsShared() throws IOException {
        String host = Files.readSymbolicLink(Path.of("/proc/self/ns/net")).toString();
        assertThat(sh("--net-host", "net-host", "readlink /proc/self/ns/net")
                        .ok()
                        .out())
                .isEqualTo(host + "\n");
        assertThat(sh("", "net-own", "readlink /proc/self/ns/net").ok().out()).isNotEqualTo(host + "\n");
    }

    @Test
    void capabilitiesAreDropped() {
        String mask = "grep CapEff /proc/self/status";
        assertThat(sh("--cap-drop CAP_CHOWN", "cap-drop", mask).ok().out())
                .isNotEqualTo(sh("", "cap-default", mask).ok().out());
    }

    @Test
    void cpusAreLimited() {
        sh("--cpus 0.5", "cpus", "true").ok();
    }

    @Test
    void otherRuntimeProgramIsUsed() {
        Programs.need("crun");
        Ran ran = suite.ctr("run", "-d", "--runc-binary", "crun", BUSYBOX, "by-crun", "sleep", "1000");
        assumeFalse(
                ran.err().contains("hybrid mode not supported"),
                "crun does not run where cgroups of version 1 and 2 are mixed, as on this machine");
        ran.ok();
        assertThat(suite.ctr("tasks", "ls").ok().row("by-crun")[2]).isEqualTo("RUNNING");
        suite.ctr("tasks", "kill", "-s", "KILL", "by-crun").ok();
    }

    @Test
    void labelsAndAnnotationsAreKept() {
        suite.ctr(
                        "run",
                        "-d",
                        "--label",
                        "color=red",
                        "--annotation",
                        "dev.longshore.test=yes",
                        BUSYBOX,
                        "labeled",
                        "sleep",
                        "1000")
                .ok();
        assertThat(suite.ctr("containers", "info", "labeled").ok().out())
                .contains("\"color\": \"red\"")
                .contains("\"dev.longshore.test\": \"yes\"");
    }

    @Test
    void terminatedClientPassesTheSignalOn() {
        try (Running client = Running.start(suite.ctrCommand(
                "run",
                "--rm",
                BUSYBOX,
                "signaled",
                "sh",
                "-c",
                "trap 'echo terminated; exit 3' TERM; echo ready; while :; do sleep 0.1; done"))) {
            client.awaitSaid("ready");
            client.terminate();
            assertThat(client.awaitExit()).isEqualTo(3);
            assertThat(client.said()).contains("terminated");
        }
    }

    @Test
    void unknownImageIsRefused() {
        suite.ctr("run", "--rm", "nobody/nothing:1", "unknown-image", "true").failedWith("not found");
    }

    @Test
    void commandThatIsNotThereIsRefusedAndLeavesNothing() {
        suite.ctr("run", "--rm", BUSYBOX, "no-command", "/bin/does-not-exist").failedWith("no such file or directory");
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("containers", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("snapshots", "ls").ok().rows("no-command")).isEmpty();
    }

    @Test
    void unknownRuntimeIsRefused() {
        suite.ctr("run", "--rm", "--runtime", "io.containerd.nothing.v1", BUSYBOX, "no-runtime", "true")
                .failedWith("containerd-shim-nothing-v1");
        assertThat(suite.ctr("containers", "ls", "-q").ok().lines()).isEmpty();
    }

    @Test
    void unknownSnapshotterIsRefused() {
        suite.ctr("run", "--rm", "--snapshotter", "nothing", BUSYBOX, "no-snapshotter", "true")
                .failedWith("nothing");
    }

    @Test
    void takenIdIsRefused() {
        suite.ctr("run", "-d", BUSYBOX, "taken", "sleep", "1000").ok();
        suite.ctr("run", "-d", BUSYBOX, "taken", "sleep", "1000").failedWith("already exists");
        assertThat(suite.ctr("tasks", "ls").ok().row("taken")[2]).isEqualTo("RUNNING");
    }
}
