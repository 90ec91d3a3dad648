package dev.longshore.daemon.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.api.events.TaskExit;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.event.Envelope;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The runtime with a shim that nobody here wrote: containerd's own, as Debian packages it. */
final class GoShimIT {

    private static final Path SHIM = Path.of("/usr/bin/containerd-shim-runc-v2");

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path folder;

    private RuntimeFixture fixture;

    @BeforeEach
    void setUp() throws Exception {
        assumeTrue(Files.isExecutable(SHIM), "no " + SHIM + " (Debian: containerd)");
        fixture = new RuntimeFixture(folder, SHIM.toString());
    }

    @AfterEach
    void tearDown() throws Exception {
        if (fixture != null) {
            fixture.close();
        }
    }

    @Test
    void taskLivesFromCreateToDelete() throws Exception {
        Path output = folder.resolve("out");
        Task task = fixture.create("c1", "echo hello; exit 7", io("file://" + output));

        assertThat(task.pid()).isPositive();
        assertThat(task.state("", soon()).status()).isEqualTo(ProcessState.Status.CREATED);

        CompletableFuture<Exit> exit = CompletableFuture.supplyAsync(() -> task.await("", soon()));
        assertThat(task.start("", soon())).isEqualTo(task.pid());

        assertThat(exit.join().status()).isEqualTo(7);
        ProcessState state = task.state("", soon());
        assertThat(state.status()).isEqualTo(ProcessState.Status.STOPPED);
        assertThat(state.exitStatus()).isEqualTo(7);
        assertThat(task.await("", soon()).status()).isEqualTo(7);
        assertThat(fixture.runtime.delete(context(), "c1").status()).isEqualTo(7);
        assertThat(Files.readString(output)).isEqualTo("hello\n");

        assertThat(task.bundle().path()).doesNotExist();
        assertThat(fixture.works()).isEmptyDirectory();
        assertThatThrownBy(() -> fixture.runtime.get(context(), "c1")).isInstanceOf(NotFoundException.class);
        assertThat(fixture.published).as("the shim publishes all of it").isEmpty();
        assertThat(List.of(take(), take(), take(), take()))
                .containsExactly("/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete");
    }

    @Test
    void secondTaskOfAContainerAlreadyExists() throws Exception {
        fixture.run("c1", "sleep 1000");

        assertThatThrownBy(() -> fixture.create("c1", "true")).isInstanceOf(AlreadyExistsException.class);
        assertThat(fixture.runtime.get(context(), "c1").state("", soon()).status())
                .isEqualTo(ProcessState.Status.RUNNING);
    }

    @Test
    void execHasItsOwnLife() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");
        Path output = folder.resolve("out");

        task.exec(RuntimeFixture.exec("e1", "echo from exec; exit 3", io("file://" + output)), soon());
        int pid = task.start("e1", soon());

        assertThat(task.await("e1", soon()).status()).isEqualTo(3);
        Exit exit = task.deleteExec("e1", soon());
        assertThat(exit.status()).isEqualTo(3);
        assertThat(exit.pid()).isEqualTo(pid);
        assertThat(Files.readString(output)).isEqualTo("from exec\n");
        assertThatThrownBy(() -> task.state("e1", soon())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void killedContainerExitsWith137() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");

        task.kill("", 9, false, soon());

        assertThat(task.await("", soon()).status()).isEqualTo(137);
    }

    @Test
    void pausedContainerIsPaused() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");

        task.pause(soon());
        assertThat(task.state("", soon()).status()).isEqualTo(ProcessState.Status.PAUSED);
        task.resume(soon());
        assertThat(task.state("", soon()).status()).isEqualTo(ProcessState.Status.RUNNING);
        assertThat(task.pids(soon())).extracting(ProcessInfo::pid).contains(task.pid());
        assertThat(task.stats(soon())).isPresent();
        assertThat(fixture.runtime.metrics(context(), id -> true)).hasSize(1);
    }

    @Test
    void containerThatCannotBeMadeLeavesNothing() throws Exception {
        Files.delete(fixture.rootfs.resolve("bin/sh"));

        assertThatThrownBy(() -> fixture.create("c1", "true"))
                .isInstanceOf(ContainerdException.class)
                .hasMessageContaining("/bin/sh");

        assertThat(fixture.bundles()).isEmptyDirectory();
        assertThat(fixture.runtime.list(context())).isEmpty();
        Files.createSymbolicLink(fixture.rootfs.resolve("bin/sh"), Path.of("busybox"));
        assertThat(fixture.run("c1", "exit 4").await("", soon()).status()).isEqualTo(4);
    }

    @Test
    void tasksAreThereAfterARestart() throws Exception {
        Task before = fixture.run("c1", "sleep 1000");
        fixture.run("c2", "exit 9").await("", soon());
        int pid = before.pid();

        fixture.restart();

        assertThat(fixture.runtime.list(context()))
                .extracting(ProcessState::id, ProcessState::status, ProcessState::exitStatus)
                .containsExactly(
                        tuple("c1", ProcessState.Status.RUNNING, 0), tuple("c2", ProcessState.Status.STOPPED, 9));
        Task task = fixture.runtime.get(context(), "c1");
        assertThat(task.pid()).isEqualTo(pid);
        task.exec(RuntimeFixture.exec("e1", "exit 5", io("")), soon());
        task.start("e1", soon());
        assertThat(task.await("e1", soon()).status()).isEqualTo(5);
        assertThat(fixture.runtime.get(context(), "c2").await("", soon()).status())
                .isEqualTo(9);
        assertThat(fixture.runtime.delete(context(), "c2").status()).isEqualTo(9);
        assertThat(fixture.published).isEmpty();
    }

    @Test
    void deathOfTheShimIsTheEndOfTheTask() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");
        CompletableFuture<Exit> exit = CompletableFuture.supplyAsync(() -> task.await("", soon()));
        await().until(() -> !exit.isDone());

        RuntimeFixture.signal(fixture.shimPid("c1"), "KILL");

        Envelope exited = fixture.published.take();
        assertThat(exited.topic()).isEqualTo("/tasks/exit");
        TaskExit event = TaskExit.parseFrom(exited.event().value());
        assertThat(event.getContainerId()).isEqualTo("c1");
        assertThat(event.getPid()).isEqualTo(task.pid());
        assertThat(event.getExitStatus()).isEqualTo(137);
        assertThat(fixture.published.take().topic()).isEqualTo("/tasks/delete");
        assertThat(exit.join().status()).isEqualTo(137);
        assertThatThrownBy(() -> fixture.runtime.get(context(), "c1")).isInstanceOf(NotFoundException.class);
        assertThat(task.bundle().path()).doesNotExist();
        // Dead at once, but in the table until its new parent has reaped it.
        await().until(() -> ProcessHandle.of(task.pid()).isEmpty());
        assertThat(fixture.published).isEmpty();
    }

    @Test
    void shimThatDiedWithTheDaemonIsCleanedUpAtTheNextStart() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");
        fixture.run("c2", "sleep 1000");
        long shim = fixture.shimPid("c1");
        fixture.runtime.close();
        RuntimeFixture.signal(shim, "KILL");
        await().until(() -> ProcessHandle.of(shim).isEmpty());
        Files.createDirectories(fixture.bundles().resolve("empty"));
        Files.createDirectories(fixture.bundles().resolve(".half/rootfs"));
        Files.createDirectories(fixture.works().resolve("without-task"));

        fixture.restart();

        assertThat(fixture.runtime.list(context())).extracting(ProcessState::id).containsExactly("c2");
        assertThat(fixture.bundles()).isDirectoryNotContaining("glob:**/{c1,empty,.half}");
        assertThat(fixture.works()).isDirectoryNotContaining("glob:**/{c1,without-task}");
        assertThat(fixture.published).extracting(Envelope::topic).containsExactly("/tasks/exit", "/tasks/delete");
        // Dead at once, but in the table until its new parent has reaped it.
        await().until(() -> ProcessHandle.of(task.pid()).isEmpty());
    }

    @Test
    void shimThatDoesNotAnswerHoldsUpNobody() throws Exception {
        fixture.run("c1", "sleep 1000");
        fixture.run("c2", "sleep 1000");
        long shim = fixture.shimPid("c1");
        RuntimeFixture.signal(shim, "STOP");
        try {
            Instant start = Instant.now();
            assertThat(fixture.runtime.list(context()))
                    .extracting(ProcessState::id, ProcessState::status)
                    .containsExactly(
                            tuple("c1", ProcessState.Status.UNKNOWN), tuple("c2", ProcessState.Status.RUNNING));
            assertThat(Duration.between(start, Instant.now())).isLessThan(Duration.ofSeconds(10));
            assertThatThrownBy(() -> fixture.runtime.get(context(), "c1").state("", soon()))
                    .isInstanceOf(DeadlineExceededException.class);

            fixture.runtime.close();
            fixture.runtime = fixture.open();
            CompletableFuture<Void> loaded = fixture.runtime.loadBundles();
            assertThat(fixture.runtime.get(context(), "c2").state("", soon()).status())
                    .as("before the other was given up")
                    .isEqualTo(ProcessState.Status.RUNNING);
            loaded.join();
        } finally {
            RuntimeFixture.signal(shim, "CONT");
        }
        assertThat(fixture.runtime.get(context(), "c1").state("", soon()).status())
                .isEqualTo(ProcessState.Status.RUNNING);
    }

    @Test
    void interruptedWaitLeavesNothing() throws Exception {
        Task task = fixture.run("c1", "sleep 1000");
        CompletableFuture<Throwable> ended = new CompletableFuture<>();
        Thread waiting = Thread.ofVirtual().start(() -> {
            try {
                task.await("", soon());
            } catch (ContainerdException e) {
                ended.complete(e);
            }
        });

        waiting.interrupt();

        assertThat(ended.join()).isInstanceOf(CanceledException.class);
        assertThatThrownBy(() -> task.await("", Deadline.after(Duration.ofMillis(50))))
                .isInstanceOf(DeadlineExceededException.class);
        task.kill("", 15, false, soon());
        task.kill("", 9, false, soon());
        assertThat(task.await("", soon()).status()).isEqualTo(137);
    }

    @Test
    void twentyTasksAtOnce() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> exits = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                int code = i;
                exits.add(threads.submit(() -> {
                    Task task = fixture.run("c" + code, "exit " + code);
                    int status = task.await("", soon()).status();
                    return fixture.runtime.delete(context(), task.id()).status() == status ? status : -1;
                }));
            }
            for (int i = 0; i < 20; i++) {
                assertThat(exits.get(i).get()).isEqualTo(i);
            }
        }
        assertThat(fixture.bundles()).isEmptyDirectory();
    }

    private CallContext context() {
        return fixture.context();
    }

    private String take() throws InterruptedException {
        Envelope envelope = fixture.forwarded.poll(1, TimeUnit.MINUTES);
        return envelope == null ? "nothing" : envelope.topic();
    }

    private static Deadline soon() {
        return RuntimeFixture.soon();
    }

    /** Both to one file: the shim of containerd 1.6 crashes when there is a file for the output alone. */
    private static TaskIo io(String output) {
        return new TaskIo("", output, output, false);
    }
}
