package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import dev.longshore.api.cgroups.v1.Metrics;
import dev.longshore.api.events.TaskCreate;
import dev.longshore.api.events.TaskDelete;
import dev.longshore.api.events.TaskExecStarted;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.events.TaskStart;
import dev.longshore.api.runc.v1.Options;
import dev.longshore.api.runc.v1.ProcessDetails;
import dev.longshore.api.task.v2.StateRequest;
import dev.longshore.api.task.v2.StateResponse;
import dev.longshore.api.v1.types.ProcessInfo;
import dev.longshore.api.v1.types.Status;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.Fifo;
import dev.longshore.testkit.ShimTask.Stdio;
import dev.longshore.ttrpc.TtrpcClient;
import java.io.DataInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every shim for runc does: driven over ttrpc as containerd drives it, with no daemon. The test stands in for the
 * daemon's events service. Needs root, runc, and busybox.
 */
@TestInstance(Lifecycle.PER_CLASS)
public abstract class ShimContract {

    /** Of the containers. */
    protected static final String NAMESPACE = "shimcontract";
    /** Generous: the machines that tests run on are busy. */
    protected static final Duration PATIENCE = Duration.ofMinutes(1);

    protected static final int SIGKILL = 9;
    private static final int SIGTERM = 15;

    /** Ends at SIGTERM, which the first process of a pid namespace otherwise ignores. */
    protected static final String SLEEP = "trap 'exit 143' TERM; sleep 1000 & wait";

    private static final List<String> METHODS = List.of(
            "State",
            "Create",
            "Start",
            "Delete",
            "Pids",
            "Pause",
            "Resume",
            "Checkpoint",
            "Kill",
            "Exec",
            "ResizePty",
            "CloseIO",
            "Update",
            "Wait",
            "Stats",
            "Connect");

    private final List<AutoCloseable> open = new ArrayList<>();

    @TempDir
    private Path folder;

    private Path root;
    private RecordedEvents events;
    private ShimProgram program;
    private int made;

    /** The program; skips the test where it is not installed. */
    protected abstract Path program();

    /** What is added to its environment. */
    protected Map<String, String> environment() {
        return Map.of();
    }

    /** Whether it is started as by containerd 2.3 and newer. */
    protected boolean takesBootstrapParams() {
        return true;
    }

    /** One address of the daemon for all tests: a shim that serves many containers then serves those of all tests. */
    @BeforeAll
    final void prepare(@TempDir Path shared) throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root: mounts and runc");
        Path busybox = Stream.of("/usr/bin/busybox", "/bin/busybox")
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(Path.of(""));
        assumeTrue(!busybox.toString().isEmpty(), "busybox is not installed: apt-get install busybox-static");
        Path shim = program();
        root = shared.resolve("root");
        ContainerBundle.writeRoot(root, busybox);
        events = new RecordedEvents(shared.resolve("e"));
        program =
                new ShimProgram(shim, environment(), takesBootstrapParams(), shared.resolve("d"), shared.resolve("e"));
    }

    @AfterAll
    final void stop() throws IOException {
        if (events != null) {
            events.close();
        }
    }

    @AfterEach
    final void clearAway() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    /** The shim's program as the test calls it. */
    protected final ShimProgram shim() {
        return program;
    }

    /** A folder that is removed after the test. */
    protected final Path folder() {
        return folder;
    }

    /** The root file system of the containers. */
    protected final Path root() {
        return root;
    }

    protected final RecordedEvents events() {
        return events;
    }

    /** A specification of a container that runs a shell script. */
    protected final ContainerBundle.Spec script(String script) {
        return spec("sh", "-c", script);
    }

    private ContainerBundle.Spec spec(String... arguments) {
        return ContainerBundle.spec("/%s/%s".formatted(NAMESPACE, nextId()), List.of(arguments));
    }

    private String nextId() {
        return "c%d-%d".formatted(ProcessHandle.current().pid(), made);
    }

    /** Starts the shim of a container, which is not created yet. */
    protected final ShimTask shimFor(ContainerBundle.Spec spec) throws IOException {
        return shimFor(NAMESPACE, spec, Any.getDefaultInstance());
    }

    private ShimTask shimFor(String namespace, ContainerBundle.Spec spec, Any options) throws IOException {
        String id = nextId();
        made++;
        ContainerBundle bundle = ContainerBundle.write(folder.resolve("bundles").resolve(id), spec);
        ShimTask task = ShimTask.start(program, namespace, id, bundle, options);
        open.add(task);
        return task;
    }

    /** A container that is created but not started. */
    protected final ShimTask create(ContainerBundle.Spec spec, Stdio stdio) throws IOException {
        ShimTask task = shimFor(spec);
        int _ = task.create(root, spec.hasTerminal(), stdio, Any.getDefaultInstance());
        return task;
    }

    /** A container that runs. */
    protected final ShimTask run(ContainerBundle.Spec spec, Stdio stdio) throws IOException {
        ShimTask task = create(spec, stdio);
        int _ = task.start("");
        return task;
    }

    protected final ShimTask run(String script, Stdio stdio) throws IOException {
        return run(script(script), stdio);
    }

    protected final Path fifo(String name) throws IOException {
        Path fifo = folder.resolve(name);
        Fifo.make(fifo, 0700);
        return fifo;
    }

    protected final FifoReader read(Path fifo) throws IOException {
        FifoReader reader = FifoReader.start(fifo);
        open.add(reader);
        return reader;
    }

    protected final void awaitEvents(ShimTask task, String... names) {
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf(task.id())).containsExactly(names));
    }

    // ---- life ----

    @Test
    void containerLivesItsLife() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        int pid = task.create(root, false, Stdio.NULL, Any.getDefaultInstance());
        assertThat(pid).isPositive();
        StateResponse created = task.state("");
        assertThat(created.getStatus()).isEqualTo(Status.CREATED);
        assertThat(created.getPid()).isEqualTo(pid);
        assertThat(created.getId()).isEqualTo(task.id());
        assertThat(created.getBundle()).isEqualTo(task.bundle().path().toString());
        assertThat(task.connect().getTaskPid()).isEqualTo(pid);

        assertThat(task.start("")).isEqualTo(pid);
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        // runc's own process becomes the container's a moment later.
        await().atMost(PATIENCE)
                .untilAsserted(
                        () -> assertThat(Path.of("/proc/" + pid + "/comm")).hasContent("sh"));
        await().atMost(PATIENCE)
                .until(() -> Files.readString(Path.of("/proc/%1$d/task/%1$d/children".formatted(pid)))
                        .contains(" "));
        task.kill("", SIGTERM, false);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGTERM);
        StateResponse stopped = task.state("");
        assertThat(stopped.getStatus()).isEqualTo(Status.STOPPED);
        assertThat(stopped.getExitStatus()).isEqualTo(128 + SIGTERM);
        assertThat(stopped.getExitedAt().getSeconds()).isPositive();

        var deleted = task.delete("");
        assertThat(deleted.getPid()).isEqualTo(pid);
        assertThat(deleted.getExitStatus()).isEqualTo(128 + SIGTERM);
        assertThat(deleted.getExitedAt()).isEqualTo(stopped.getExitedAt());
        assertThatThrownBy(() -> task.state("")).isInstanceOf(NotFoundException.class);
        assertThat(task.bundle().rootfs()).isEmptyDirectory();

        awaitEvents(task, "create", "start", "exit", "delete");
        List<RecordedEvents.Event> told = events.of(task.id());
        assertThat(told).extracting(RecordedEvents.Event::namespace).containsOnly(NAMESPACE);
        TaskCreate create = (TaskCreate) told.get(0).message();
        assertThat(create.getPid()).isEqualTo(pid);
        assertThat(create.getBundle()).isEqualTo(task.bundle().path().toString());
        assertThat(create.getRootfsCount()).isEqualTo(1);
        assertThat(((TaskStart) told.get(1).message()).getPid()).isEqualTo(pid);
        TaskExit exit = (TaskExit) told.get(2).message();
        assertThat(exit.getId()).isEqualTo(task.id());
        assertThat(exit.getPid()).isEqualTo(pid);
        assertThat(exit.getExitStatus()).isEqualTo(128 + SIGTERM);
        assertThat(exit.getExitedAt()).isEqualTo(stopped.getExitedAt());
        TaskDelete delete = (TaskDelete) told.get(3).message();
        assertThat(delete.getPid()).isEqualTo(pid);
        assertThat(delete.getExitStatus()).isEqualTo(128 + SIGTERM);
    }

    @Test
    void eventsOfAProcessThatEndsAtOnceAreInOrder() throws IOException {
        for (int i = 0; i < 5; i++) {
            ShimTask task = run("exit 7", Stdio.NULL);
            assertThat(task.await("").getExitStatus()).isEqualTo(7);
            assertThat(task.delete("").getExitStatus()).isEqualTo(7);
            awaitEvents(task, "create", "start", "exit", "delete");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 42, 255})
    void exitCodeIsTold(int code) throws IOException {
        ShimTask task = run("exit " + code, Stdio.NULL);
        assertThat(task.await("").getExitStatus()).isEqualTo(code);
        assertThat(task.state("").getExitStatus()).isEqualTo(code);
        assertThat(task.delete("").getExitStatus()).isEqualTo(code);
    }

    @Test
    void createdContainerIsDeleted() throws IOException {
        ShimTask task = create(script(SLEEP), Stdio.NULL);
        assertThat(task.delete("").getPid()).isPositive();
        assertThatThrownBy(() -> task.state("")).isInstanceOf(NotFoundException.class);
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
    }

    @Test
    void runningContainerIsNotDeleted() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        assertThatThrownBy(() -> task.delete("")).isInstanceOf(ContainerdException.class);
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
    }

    @Test
    void containerIsDeletedOnce() throws IOException {
        ShimTask task = run("true", Stdio.NULL);
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        assertThatThrownBy(() -> task.delete("")).isInstanceOf(NotFoundException.class);
    }

    @Test
    void runningContainerIsNotStartedAgain() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        assertThatThrownBy(() -> task.start("")).isInstanceOf(ContainerdException.class);
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
    }

    @Test
    void missingCommandIsRefusedAndLeavesNothing() throws IOException {
        ShimTask task = shimFor(spec("/no/such/command"));
        assertThatThrownBy(() -> {
                    int _ = task.create(root, false, Stdio.NULL, Any.getDefaultInstance());
                    int _ = task.start("");
                })
                .isInstanceOf(ContainerdException.class)
                .hasMessageContaining("/no/such/command");
        assertThatThrownBy(() -> task.state("")).isInstanceOf(NotFoundException.class);
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
    }

    @Test
    void endIsToldToAllWhoWait() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> waits = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                waits.add(threads.submit(() -> task.await("").getExitStatus()));
            }
            task.kill("", SIGKILL, false);
            for (Future<Integer> wait : waits) {
                assertThat(wait.get()).isEqualTo(128 + SIGKILL);
            }
        }
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
    }

    @Test
    void endedContainerIsNotKilledAgain() throws IOException {
        ShimTask task = run("true", Stdio.NULL);
        assertThat(task.await("").getExitStatus()).isZero();
        assertThatThrownBy(() -> task.kill("", SIGKILL, false)).isInstanceOf(NotFoundException.class);
    }

    @Test
    void allProcessesAreKilled() throws IOException {
        ShimTask task = run("trap '' TERM; sleep 1000 & sleep 1000 & wait; wait", Stdio.NULL);
        await().atMost(PATIENCE).until(() -> task.pids().getProcessesCount() == 3);
        task.kill("", SIGKILL, true);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
    }

    @Test
    void pausedContainerStandsStillUntilResumed() throws Exception {
        FifoReader out = read(folder.resolve("out"));
        ShimTask task = run("while true; do echo tick; usleep 10000; done", Stdio.output(folder.resolve("out")));
        out.awaitText("tick");
        task.pause();
        assertThat(task.state("").getStatus()).isEqualTo(Status.PAUSED);
        int length = awaitNoGrowth(out);
        task.resume();
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        await().atMost(PATIENCE).until(() -> out.text().length() > length);
        assertThat(events.namesOf(task.id())).containsExactly("create", "start", "paused", "resumed");
    }

    private static int awaitNoGrowth(FifoReader out) {
        int[] length = {-1};
        await().pollInterval(Duration.ofMillis(200)).atMost(PATIENCE).until(() -> {
            int before = length[0];
            length[0] = out.text().length();
            return before == length[0];
        });
        return length[0];
    }

    @Test
    void pausedContainerIsKilled() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        task.pause();
        task.kill("", SIGKILL, false);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
    }

    // ---- executed processes ----

    @ParameterizedTest
    @CsvSource({"exit 0, 0", "exit 42, 42", "kill -KILL $$, 137", "kill -TERM $$, 143", "kill -SEGV $$, 139"})
    void exitCodeOfAnExecutedProcessIsTold(String script, int status) throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        assertThat(task.run("e", "sh", "-c", script)).isEqualTo(status);
    }

    @Test
    void executedProcessLivesItsLife() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        task.exec("e", false, Stdio.NULL, List.of("sleep", "1000"));
        assertThat(task.state("e").getStatus()).isEqualTo(Status.CREATED);
        int pid = task.start("e");
        StateResponse running = task.state("e");
        assertThat(running.getStatus()).isEqualTo(Status.RUNNING);
        assertThat(running.getPid()).isEqualTo(pid);
        assertThatThrownBy(() -> task.delete("e")).isInstanceOf(ContainerdException.class);
        task.kill("e", SIGTERM, false);
        assertThat(task.await("e").getExitStatus()).isEqualTo(128 + SIGTERM);
        assertThat(task.state("e").getStatus()).isEqualTo(Status.STOPPED);
        assertThat(task.delete("e").getPid()).isEqualTo(pid);
        assertThatThrownBy(() -> task.state("e")).isInstanceOf(NotFoundException.class);
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        awaitEvents(task, "create", "start", "exec-added e", "exec-started e", "exit e");
        TaskExecStarted started = (TaskExecStarted) events.of(task.id()).get(3).message();
        assertThat(started.getPid()).isEqualTo(pid);
    }

    @Test
    void eventsOfAnExecutedProcessThatEndsAtOnceAreInOrder() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        List<String> expected = new ArrayList<>(List.of("create", "start"));
        for (int i = 0; i < 5; i++) {
            assertThat(task.run("e" + i, "true")).isZero();
            expected.addAll(List.of("exec-added e" + i, "exec-started e" + i, "exit e" + i));
        }
        awaitEvents(task, expected.toArray(String[]::new));
    }

    @Test
    void execIdThatIsTakenIsRefusedAndFreeAgainWhenDeleted() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        task.exec("e", false, Stdio.NULL, List.of("true"));
        assertThatThrownBy(() -> task.exec("e", false, Stdio.NULL, List.of("true")))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(task.delete("e").getPid()).isZero();
        assertThat(task.run("e", "true")).isZero();
    }

    @Test
    void missingCommandIsNotExecuted() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        task.exec("e", false, Stdio.NULL, List.of("/no/such/command"));
        assertThatThrownBy(() -> task.start("e"))
                .isInstanceOf(ContainerdException.class)
                .hasMessageContaining("/no/such/command");
        assertThat(task.delete("e").getPid()).isZero();
        assertThat(task.run("f", "true")).isZero();
    }

    @Test
    void outputThatABackgroundChildKeepsOpenHoldsNobody() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        Path out = fifo("out");
        FifoReader reader = read(out);
        task.exec("e", false, Stdio.output(out), List.of("sh", "-c", "sleep 1000 & echo done"));
        int _ = task.start("e");
        reader.awaitText("done");
        assertThat(task.await("e").getExitStatus()).isZero();
        assertThat(task.delete("e").getExitStatus()).isZero();
    }

    @Test
    void executedProcessesEndWithTheirContainer() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        task.exec("e", false, Stdio.NULL, List.of("sleep", "1000"));
        int _ = task.start("e");
        task.kill("", SIGKILL, false);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(task.await("e").getExitStatus()).isEqualTo(128 + SIGKILL);
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf(task.id())).contains("exit", "exit e"));
    }

    @Test
    void pidsAreThoseOfTheContainerAndTellWhichAreExecuted() throws Exception {
        ShimTask task = run("sleep 1000 & wait", Stdio.NULL);
        int init = task.connect().getTaskPid();
        task.exec("e", false, Stdio.NULL, List.of("sleep", "1000"));
        int executed = task.start("e");
        await().atMost(PATIENCE).until(() -> task.pids().getProcessesCount() == 3);
        List<ProcessInfo> processes = task.pids().getProcessesList();
        assertThat(processes).extracting(ProcessInfo::getPid).contains(init, executed);
        for (ProcessInfo process : processes) {
            assertThat(process.hasInfo()).isEqualTo(process.getPid() == executed);
            if (process.hasInfo()) {
                assertThat(process.getInfo().getTypeUrl()).endsWith("containerd.runc.v1.ProcessDetails");
                assertThat(ProcessDetails.parseFrom(process.getInfo().getValue())
                                .getExecId())
                        .isEqualTo("e");
            }
        }
    }

    @Test
    void orphansAreReapedWhereTheContainerHasThePidsOfTheHost() throws IOException {
        ShimTask task = run(script(SLEEP).hostPids(), Stdio.NULL);
        long shim = Integer.toUnsignedLong(task.connect().getShimPid());
        assertThat(task.run("e", "sh", "-c", "sh -c 'usleep 300000' &")).isZero();
        assertThat(task.run("f", "sh", "-c", "sleep 1")).isZero();
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(zombiesOf(shim)).isEmpty());
    }

    private static List<String> zombiesOf(long parent) throws IOException {
        List<String> zombies = new ArrayList<>();
        try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
            for (Path process : processes.toList()) {
                if (process.getFileName().toString().matches("[0-9]+")) {
                    try {
                        String stat = Files.readString(process.resolve("stat"));
                        if (stat.substring(stat.lastIndexOf(')')).startsWith(") Z %d ".formatted(parent))) {
                            zombies.add(stat);
                        }
                    } catch (IOException e) {
                        assertThat(process).doesNotExist(); // it ended meanwhile
                    }
                }
            }
        }
        return zombies;
    }

    @Test
    void processesOfAContainerWithThePidsOfTheHostEndWithItsFirst() throws IOException {
        ShimTask task = run(script("sleep 1000 & read x").hostPids(), Stdio.NULL);
        int _ = task.connect().getTaskPid();
        assertThat(task.await("").getExitStatus()).isNotNegative();
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(cgroupProcesses(task)).isEmpty());
    }

    private static List<String> cgroupProcesses(ShimTask task) throws IOException {
        for (String controller : List.of("pids", "")) {
            Path file = Path.of("/sys/fs/cgroup", controller, NAMESPACE, task.id(), "cgroup.procs");
            if (Files.exists(file)) {
                return Files.readAllLines(file);
            }
        }
        return List.of();
    }

    // ---- stdio ----

    @Test
    void bothStreamsArriveWhereTheyBelong() throws Exception {
        FifoReader out = read(folder.resolve("out"));
        FifoReader err = read(folder.resolve("err"));
        ShimTask task = run(
                "echo one; echo two >&2",
                new Stdio(
                        "",
                        folder.resolve("out").toString(),
                        folder.resolve("err").toString()));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        assertThat(out.awaitEnd()).isEqualTo("one\n");
        assertThat(err.awaitEnd()).isEqualTo("two\n");
    }

    @Test
    void bothStreamsShareAFifo() throws Exception {
        FifoReader out = read(folder.resolve("out"));
        String fifo = folder.resolve("out").toString();
        ShimTask task = run("for i in 1 2 3; do echo one; echo two >&2; done", new Stdio("", fifo, fifo));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        assertThat(out.awaitEnd()).contains("one\n", "two\n").hasSize(24);
    }

    @Test
    void longOutputOfAProcessThatEndsAtOnceIsWhole() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        for (int i = 0; i < 3; i++) {
            Path fifo = folder.resolve("out" + i);
            FifoReader out = read(fifo);
            task.exec(
                    "e" + i,
                    false,
                    Stdio.output(fifo),
                    List.of("sh", "-c", "dd if=/dev/zero bs=64k count=128 2>/dev/null"));
            int _ = task.start("e" + i);
            assertThat(task.await("e" + i).getExitStatus()).isZero();
            assertThat(task.delete("e" + i).getExitStatus()).isZero();
            assertThat(out.awaitEnd()).hasSize(8 << 20);
        }
    }

    @Test
    void clientMayGoAwayAndComeBack() throws Exception {
        Path in = fifo("in");
        Path out = fifo("out");
        FifoReader first = read(out);
        ShimTask task = run("while read line; do echo got $line; done; exit 1", Stdio.of(in, out));
        write(in, "one\n");
        first.awaitText("got one\n");
        first.close();
        write(in, "two\n");
        FifoReader second = read(out);
        second.awaitText("got two\n");
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        task.closeStdin("");
        assertThat(task.await("").getExitStatus()).isEqualTo(1);
    }

    protected static void write(Path fifo, String text) throws IOException {
        try (FileOutputStream to = new FileOutputStream(fifo.toFile())) {
            to.write(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    @Test
    void inputEndsWhenTheClientSaysSoAndHasLeft() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        Path in = fifo("in");
        FifoReader out = read(folder.resolve("out"));
        task.exec("e", false, Stdio.of(in, folder.resolve("out")), List.of("cat"));
        int _ = task.start("e");
        write(in, "one\n");
        out.awaitText("one\n");
        assertThat(task.state("e").getStatus()).isEqualTo(Status.RUNNING);
        try (FileOutputStream to = new FileOutputStream(in.toFile())) {
            task.closeStdin("e");
            to.write("two\n".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(task.await("e").getExitStatus()).isZero();
        assertThat(task.delete("e").getExitStatus()).isZero();
        assertThat(out.awaitEnd()).isEqualTo("one\ntwo\n");
    }

    @Test
    void outputIsAppendedToAFile() throws IOException {
        Path log = folder.resolve("logs/of/it.log");
        Files.createDirectories(log.getParent());
        Files.writeString(log, "before\n");
        String uri = "file://" + log;
        ShimTask task = run("echo one; echo two >&2", new Stdio("", uri, uri));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        // containerd's shim copies, and does not wait for the copy of the second stream.
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(log)
                        .content()
                        .startsWith("before\n")
                        .contains("one\n")
                        .contains("two\n")
                        .hasSize(15));
    }

    @Test
    void outputGoesToALoggingProgram() throws IOException {
        Path logger = writeLogger();
        Path log = folder.resolve("log");
        String uri = "binary://%s?file=%s".formatted(logger, log);
        ShimTask task = run("echo one; echo two >&2", new Stdio("", uri, uri));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(log)
                        .content()
                        .startsWith("args file %s\nid %s in %s\n".formatted(log, task.id(), NAMESPACE))
                        .contains("out one\n", "err two\n"));
    }

    /** It takes its log file from its second argument. */
    protected final Path writeLogger() throws IOException {
        Path logger = folder.resolve("logger");
        Files.writeString(logger, """
                #!/bin/sh
                {
                  echo args "$@"
                  echo id $CONTAINER_ID in $CONTAINER_NAMESPACE
                  exec 5>&-
                  sed 's/^/err /' <&4 &
                  sed 's/^/out /' <&3
                  wait
                } >"$2"
                """);
        Files.setPosixFilePermissions(logger, PosixFilePermissions.fromString("rwxr-xr-x"));
        return logger;
    }

    @Test
    void loggingProgramThatIsNotThereIsRefused() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        String uri = "binary:///no/such/logger";
        assertThatThrownBy(() -> task.create(root, false, new Stdio("", uri, uri), Any.getDefaultInstance()))
                .isInstanceOf(ContainerdException.class);
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
    }

    @Test
    void terminalIsOneAndIsResized() throws Exception {
        Path in = fifo("in");
        FifoReader out = read(folder.resolve("out"));
        ShimTask task = run(
                script("test -t 0 && test -t 1 && echo terminal; while read line; do stty size; done; exit 1")
                        .terminal(),
                Stdio.of(in, folder.resolve("out")));
        out.awaitText("terminal\r\n");
        assertThat(task.state("").getTerminal()).isTrue();
        try (FileOutputStream typing = new FileOutputStream(in.toFile())) {
            task.resize("", 97, 31);
            typing.write('\n');
            out.awaitText("31 97\r\n");
            task.resize("", 132, 43);
            typing.write('\n');
            out.awaitText("43 132\r\n");
            typing.write(4); // end of input
        }
        assertThat(task.await("").getExitStatus()).isEqualTo(1);
        assertThat(task.delete("").getExitStatus()).isEqualTo(1);
        assertThat(out.awaitEnd()).endsWith("43 132\r\n");
    }

    @Test
    void longOutputOfATerminalIsWhole() throws Exception {
        FifoReader out = read(folder.resolve("out"));
        ShimTask task = run(
                script("stty raw; dd if=/dev/zero bs=1k count=1000 2>/dev/null").terminal(),
                Stdio.output(folder.resolve("out")));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        assertThat(out.awaitEnd()).hasSize(1000 << 10);
    }

    @Test
    void terminalOfAnExecutedProcessIsOne() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        Path in = fifo("in");
        FifoReader out = read(folder.resolve("out"));
        task.exec(
                "e",
                true,
                Stdio.of(in, folder.resolve("out")),
                List.of("sh", "-c", "test -t 0 && echo terminal; read x; stty size"));
        int _ = task.start("e");
        out.awaitText("terminal");
        task.resize("e", 97, 31);
        write(in, "\n");
        out.awaitText("31 97");
        assertThat(task.await("e").getExitStatus()).isZero();
        assertThat(task.delete("e").getExitStatus()).isZero();
    }

    // ---- resources ----

    @Test
    void statsAreThoseOfTheContainer() throws Exception {
        ShimTask task = run(script(SLEEP).memory(64 << 20), Stdio.NULL);
        Any stats = task.stats();
        switch (stats.getTypeUrl().substring(stats.getTypeUrl().lastIndexOf('/') + 1)) {
            case "io.containerd.cgroups.v1.Metrics" -> {
                Metrics metrics = Metrics.parseFrom(stats.getValue());
                assertThat(metrics.getMemory().getUsage().getLimit()).isEqualTo(64 << 20);
                assertThat(metrics.getMemory().getUsage().getUsage()).isPositive();
                assertThat(metrics.getPids().getCurrent()).isPositive();
                assertThat(metrics.getCpu().getUsage().getTotal()).isPositive();
            }
            case "io.containerd.cgroups.v2.Metrics" -> {
                var metrics = dev.longshore.api.cgroups.v2.Metrics.parseFrom(stats.getValue());
                assertThat(metrics.getMemory().getUsageLimit()).isEqualTo(64 << 20);
                assertThat(metrics.getMemory().getUsage()).isPositive();
                assertThat(metrics.getPids().getCurrent()).isPositive();
            }
            default -> throw new AssertionError("unknown type " + stats.getTypeUrl());
        }
    }

    @Test
    void limitsAreUpdated() throws Exception {
        ShimTask task = run(script(SLEEP).memory(64 << 20), Stdio.NULL);
        task.update("{\"memory\":{\"limit\":134217728,\"swap\":134217728}}");
        Any stats = task.stats();
        long limit = stats.getTypeUrl().endsWith("v1.Metrics")
                ? Metrics.parseFrom(stats.getValue()).getMemory().getUsage().getLimit()
                : dev.longshore.api.cgroups.v2.Metrics.parseFrom(stats.getValue())
                        .getMemory()
                        .getUsageLimit();
        assertThat(limit).isEqualTo(128 << 20);
    }

    @Test
    void wantOfMemoryIsToldWhenTheKernelKills() throws IOException {
        ShimTask task = run(script("tail /dev/zero; " + SLEEP).memory(16 << 20), Stdio.NULL);
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf(task.id())).contains("oom"));
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
    }

    @Test
    void wantOfMemoryIsToldBeforeTheEndThatItCauses() throws IOException {
        ShimTask task = run(spec("tail", "/dev/zero").memory(16 << 20), Stdio.NULL);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf(task.id())).contains("exit", "oom"));
    }

    // ---- options ----

    protected static Any any(Options options) {
        return Any.newBuilder()
                .setTypeUrl("containerd.runc.v1.Options")
                .setValue(options.toByteString())
                .build();
    }

    protected final ShimTask runWith(Options options) throws IOException {
        ShimTask task = shimFor(NAMESPACE, script(SLEEP), any(options));
        int _ = task.create(root, false, Stdio.NULL, any(options));
        int _ = task.start("");
        return task;
    }

    @Test
    void otherRuntimeIsUsed() throws IOException {
        Path calls = folder.resolve("calls");
        Path runtime = folder.resolve("runtime");
        Files.writeString(runtime, "#!/bin/sh\necho \"$@\" >>%s\nexec runc \"$@\"\n".formatted(calls));
        Files.setPosixFilePermissions(runtime, PosixFilePermissions.fromString("rwxr-xr-x"));
        runs(Options.newBuilder().setBinaryName(runtime.toString()).build());
        assertThat(calls).content().contains(" create ", " start ", " exec ", " delete ");
    }

    @Test
    void crunIsUsed() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/crun")), "crun is not installed: apt-get install crun");
        Path hybrid = Path.of("/sys/fs/cgroup/unified/cgroup.controllers");
        assumeTrue(
                !Files.exists(hybrid) || Files.readString(hybrid).isBlank(),
                "crun does not run where cgroups of version 1 and 2 both have controllers");
        runs(Options.newBuilder().setBinaryName("crun").build());
    }

    /** A container is made, entered and removed, with its state where the options say. */
    private void runs(Options options) throws IOException {
        Path state = folder.resolve("state");
        ShimTask task = runWith(options.toBuilder().setRoot(state.toString()).build());
        assertThat(state.resolve(NAMESPACE).resolve(task.id())).isDirectory();
        assertThat(task.run("e", "sh", "-c", "exit 3")).isEqualTo(3);
        task.kill("", SIGKILL, false);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(task.delete("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(state.resolve(NAMESPACE).resolve(task.id())).doesNotExist();
    }

    @Test
    void runtimeThatIsNotThereIsRefusedByName() throws IOException {
        Options options = Options.newBuilder().setBinaryName("/no/such/runtime").build();
        ShimTask task = shimFor(NAMESPACE, script(SLEEP), any(options));
        assertThatThrownBy(() -> task.create(root, false, Stdio.NULL, any(options)))
                .isInstanceOf(ContainerdException.class)
                .hasMessageContaining("/no/such/runtime");
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
    }

    @Test
    void containerRunsWithoutPivotRoot() throws IOException {
        ShimTask task = runWith(Options.newBuilder().setNoPivotRoot(true).build());
        assertThat(task.run("e", "test", "-x", "/bin/busybox")).isZero();
    }

    @Test
    void cgroupsAreMadeBySystemd() throws IOException {
        assumeTrue(Files.isDirectory(Path.of("/run/systemd/system")), "systemd does not run here");
        Options options = Options.newBuilder().setSystemdCgroup(true).build();
        ContainerBundle.Spec spec =
                ContainerBundle.spec("system.slice:contract:" + nextId(), List.of("sh", "-c", SLEEP));
        ShimTask task = shimFor(NAMESPACE, spec, any(options));
        int pid = task.create(root, false, Stdio.NULL, any(options));
        assertThat(Path.of("/proc/" + pid + "/cgroup")).content().contains("contract-" + task.id() + ".scope");
    }

    // ---- shims ----

    @Test
    void containersOfAPodShareAShim() throws IOException {
        String pod = "io.kubernetes.cri.sandbox-id";
        ShimTask first = run(script(SLEEP).annotation(pod, "pod"), Stdio.NULL);
        ShimTask second = run(script(SLEEP).annotation(pod, "pod"), Stdio.NULL);
        assertThat(second.started().address()).isEqualTo(first.started().address());
        assertThat(second.connect().getShimPid()).isEqualTo(first.connect().getShimPid());
        ShimTask other = shimFor(NAMESPACE, script(SLEEP).annotation(pod, "other"), Any.getDefaultInstance());
        assertThat(other.started().address()).isNotEqualTo(first.started().address());

        first.shutdown();
        first.kill("", SIGKILL, false);
        assertThat(first.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(first.delete("").getExitStatus()).isEqualTo(128 + SIGKILL);
        first.shutdown();
        assertThat(second.state("").getStatus()).isEqualTo(Status.RUNNING);
    }

    @Test
    void namespacesDoNotShareAShim() throws IOException {
        ContainerBundle.Spec spec = script(SLEEP).annotation("io.kubernetes.cri.sandbox-id", "pod");
        ShimTask first = shimFor(NAMESPACE, spec, Any.getDefaultInstance());
        ShimTask second = shimFor(NAMESPACE + "2", spec, Any.getDefaultInstance());
        assertThat(second.started().address()).isNotEqualTo(first.started().address());
    }

    @Test
    void socketIsForItsOwnerOnly() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        Path socket = Path.of(task.started().address().substring("unix://".length()));
        assertThat(task.started().protocol()).isEqualTo("ttrpc");
        assertThat(socket.getFileName().toString()).matches("[0-9a-f]{64}");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket, LinkOption.NOFOLLOW_LINKS)))
                .endsWith("------");
    }

    @Test
    void versionIsPrinted() throws IOException {
        assertThat(new String(program.run(folder, new byte[0], List.of("-v")), StandardCharsets.UTF_8))
                .contains("Version:");
    }

    @Test
    void everyMethodIsServed() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        for (String method : METHODS) {
            // The field of the id is the first everywhere, so this is a request of each of them.
            StateRequest unknown = StateRequest.newBuilder().setId("unknown").build();
            try {
                Empty _ = task.call(method, unknown, Empty.parser());
            } catch (ContainerdException e) {
                assertThat(e).as(method).isNotInstanceOf(UnimplementedException.class);
            }
        }
        assertThat(task.connect().getShimPid()).as("without a container").isPositive();
    }

    @Test
    void unknownContainerIsNotFound() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        List<Runnable> calls = List.of(
                () -> task.state(""),
                () -> task.start(""),
                () -> task.delete(""),
                task::pids,
                task::pause,
                task::resume,
                () -> task.kill("", SIGTERM, false),
                () -> task.exec("e", false, Stdio.NULL, List.of("true")),
                () -> task.resize("", 1, 1),
                () -> task.closeStdin(""),
                () -> task.update("{}"),
                () -> task.await(""),
                task::stats);
        for (Runnable call : calls) {
            assertThatThrownBy(call::run).isInstanceOf(NotFoundException.class);
        }
    }

    @Test
    void unknownProcessIsRefused() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        List<Runnable> calls = List.of(
                () -> task.state("unknown"),
                () -> task.start("unknown"),
                () -> task.delete("unknown"),
                () -> task.kill("unknown", SIGTERM, false),
                () -> task.resize("unknown", 1, 1),
                () -> task.closeStdin("unknown"),
                () -> task.await("unknown"));
        for (Runnable call : calls) {
            assertThatThrownBy(call::run).isInstanceOf(ContainerdException.class);
        }
    }

    @Test
    void junkHarmsNobodyElse() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        Path socket = Path.of(task.started().address().substring("unix://".length()));
        for (byte[] junk : List.of(
                "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.UTF_8), new byte[9], new byte[1000], new byte[] {
                    0, 0, 0, 4, 0, 0, 0, 1, 1, 0, -1, -1, -1, -1
                })) {
            try (SocketChannel raw = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                raw.write(ByteBuffer.wrap(junk));
            }
        }
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        try (TtrpcClient client = TtrpcClient.connect(task.started().address(), PATIENCE)) {
            assertThat(client.call(
                                    task.started().service(),
                                    "State",
                                    StateRequest.newBuilder().setId(task.id()).build(),
                                    StateResponse.parser(),
                                    CallContext.of(NAMESPACE, PATIENCE))
                            .getStatus())
                    .isEqualTo(Status.RUNNING);
        }
    }

    @Test
    void oversizedFrameIsAnsweredAndTheConnectionLives() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        Path socket = Path.of(task.started().address().substring("unix://".length()));
        try (SocketChannel raw = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            DataInputStream in = new DataInputStream(Channels.newInputStream(raw));
            for (int stream : List.of(1, 3)) {
                int length = (4 << 20) + 1;
                ByteBuffer frame = ByteBuffer.allocate(10 + length);
                frame.putInt(length).putInt(stream).put((byte) 1).put((byte) 0).rewind();
                while (frame.hasRemaining()) {
                    raw.write(frame);
                }
                int answered = in.readInt();
                assertThat(in.readInt()).isEqualTo(stream);
                assertThat(in.readUnsignedByte()).isEqualTo(2);
                in.skipNBytes(1 + answered);
            }
        }
    }

    @Test
    void whatADeadShimHasLeftIsClearedAway() throws Exception {
        ShimTask task = run(script(SLEEP).annotation("io.kubernetes.cri.sandbox-id", "dead"), Stdio.NULL);
        int pid = task.connect().getTaskPid();
        task.killShim();
        byte[] answer = program.call(NAMESPACE, task.id(), task.bundle().path(), new byte[0], "delete");
        var deleted = dev.longshore.api.task.v2.DeleteResponse.parseFrom(answer);
        assertThat(deleted.getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(deleted.getPid()).isEqualTo(pid);
        await().atMost(PATIENCE)
                .until(() -> !Files.exists(Path.of("/proc/" + pid))
                        || Files.readString(Path.of("/proc/" + pid + "/stat")).contains(") Z "));
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
        assertThat(Path.of("/run/containerd/runc", NAMESPACE, task.id())).doesNotExist();
    }
}
