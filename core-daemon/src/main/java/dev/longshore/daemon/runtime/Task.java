package dev.longshore.daemon.runtime;

import com.google.protobuf.Any;
import com.google.protobuf.Timestamp;
import dev.longshore.api.task.v3.CheckpointTaskRequest;
import dev.longshore.api.task.v3.CloseIORequest;
import dev.longshore.api.task.v3.DeleteRequest;
import dev.longshore.api.task.v3.DeleteResponse;
import dev.longshore.api.task.v3.ExecProcessRequest;
import dev.longshore.api.task.v3.KillRequest;
import dev.longshore.api.task.v3.PauseRequest;
import dev.longshore.api.task.v3.PidsRequest;
import dev.longshore.api.task.v3.ResizePtyRequest;
import dev.longshore.api.task.v3.ResumeRequest;
import dev.longshore.api.task.v3.StartRequest;
import dev.longshore.api.task.v3.StateRequest;
import dev.longshore.api.task.v3.StateResponse;
import dev.longshore.api.task.v3.StatsRequest;
import dev.longshore.api.task.v3.StatsResponse;
import dev.longshore.api.task.v3.UpdateTaskRequest;
import dev.longshore.api.task.v3.WaitRequest;
import dev.longshore.api.task.v3.WaitResponse;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;

/**
 * A container's processes, and the way to the shim that keeps them. Safe for use by many threads.
 *
 * <p>An exec id names a process; an empty one is the container's first. All calls throw what the shim answers, {@link
 * NotFoundException} once the task is gone, {@link UnavailableException} if the shim was lost in the middle, and {@link
 * DeadlineExceededException}. While a lost shim is being replaced, calls wait for it.
 */
public final class Task {

    /** What a wait for a process' end may take: for ever. */
    private static final Duration NO_LIMIT = Duration.ofDays(3650);

    private final Bundle bundle;
    private final RuntimeTimeouts timeouts;
    private final ShimLink link;
    private final InitProcess init;

    /** One wait at the shim for each process, however many clients wait for it. */
    private final Map<String, CompletableFuture<Exit>> waits = new ConcurrentHashMap<>();

    Task(Bundle bundle, RuntimeTimeouts timeouts, ShimLink link, InitProcess init) {
        this.bundle = bundle;
        this.timeouts = timeouts;
        this.link = link;
        this.init = init;
    }

    public NamespaceId namespace() {
        return bundle.namespace();
    }

    /** The same as its container's. */
    public String id() {
        return bundle.id();
    }

    /** Of the container's first process; 0 until it is known. */
    public int pid() {
        return init.pid();
    }

    Bundle bundle() {
        return bundle;
    }

    ShimLink link() {
        return link;
    }

    InitProcess init() {
        return init;
    }

    /** Runs what was created; returns the process' pid. */
    public int start(String execId, Deadline deadline) {
        StartRequest request =
                StartRequest.newBuilder().setId(id()).setExecId(execId).build();
        return once(deadline, timeouts.call(), (shim, until) -> shim.start(request, until))
                .getPid();
    }

    /** Waits {@link RuntimeTimeouts#state} at most. */
    public ProcessState state(String execId, Deadline deadline) {
        StateRequest request =
                StateRequest.newBuilder().setId(id()).setExecId(execId).build();
        StateResponse state;
        try {
            state = repeatable(deadline, timeouts.state(), (shim, until) -> shim.state(request, until));
        } catch (NotFoundException e) {
            // A shim that took over cannot know a container that had died before.
            Optional<Exit> exit = execId.isEmpty() ? init.exitWithoutShim() : Optional.empty();
            return exit.map(known -> stopped(known)).orElseThrow(() -> e);
        }
        Optional<Instant> exitedAt = instant(state.hasExitedAt(), state.getExitedAt());
        ProcessState told = new ProcessState(
                execId.isEmpty() ? id() : execId,
                state.getPid(),
                status(state.getStatus()),
                new TaskIo(state.getStdin(), state.getStdout(), state.getStderr(), state.getTerminal()),
                state.getExitStatus(),
                exitedAt);
        if (!execId.isEmpty() || told.status() != ProcessState.Status.STOPPED) {
            return told;
        }
        Exit exit = init.corrected(new Exit(told.pid(), told.exitStatus(), exitedAt.orElse(Instant.EPOCH)));
        return new ProcessState(told.id(), told.pid(), told.status(), told.io(), exit.status(), exitedAt);
    }

    private ProcessState stopped(Exit exit) {
        return new ProcessState(
                id(),
                exit.pid(),
                ProcessState.Status.STOPPED,
                new TaskIo("", "", "", false),
                exit.status(),
                Optional.of(exit.at()));
    }

    /**
     * Waits for the end of a process. Interrupting the thread ends the wait with nothing left of it.
     *
     * @throws CanceledException if the thread was interrupted
     */
    public Exit await(String execId, Deadline deadline) {
        CompletableFuture<Exit> wait = waits.computeIfAbsent(execId, this::askForExit);
        try {
            return wait.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException("task %s has not ended in time".formatted(id()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("the wait for task %s was given up".formatted(id()), e);
        } catch (ExecutionException e) {
            throw rethrown(e);
        }
    }

    /** What a task of a lost shim is killed in. */
    private static final Duration LOST = Duration.ofSeconds(10);

    private CompletableFuture<Exit> askForExit(String execId) {
        CompletableFuture<Exit> wait = new CompletableFuture<>();
        WaitRequest request =
                WaitRequest.newBuilder().setId(id()).setExecId(execId).build();
        Thread.ofVirtual().name("wait-" + id()).start(() -> {
            try {
                WaitResponse answer =
                        repeatable(Deadline.after(NO_LIMIT), NO_LIMIT, (shim, until) -> shim.await(request, until));
                Exit exit = new Exit(
                        execId.isEmpty() ? pid() : 0,
                        answer.getExitStatus(),
                        instant(answer.hasExitedAt(), answer.getExitedAt()).orElseGet(Instant::now));
                if (execId.isEmpty()) {
                    exit = init.corrected(exit);
                    init.exited(exit);
                }
                wait.complete(exit);
            } catch (ContainerdException e) {
                Optional<Exit> exit = execId.isEmpty()
                        ? init.soonExitWithoutShim(e instanceof UnavailableException ? LOST : Duration.ZERO)
                        : Optional.empty();
                exit.ifPresentOrElse(wait::complete, () -> wait.completeExceptionally(e));
            } finally {
                // Whoever waits next asks again: the id may mean another process by then.
                waits.remove(execId, wait);
            }
        });
        return wait;
    }

    /** Sends a signal to a process, or to all processes of the container. */
    public void kill(String execId, int signal, boolean all, Deadline deadline) {
        KillRequest request = KillRequest.newBuilder()
                .setId(id())
                .setExecId(execId)
                .setSignal(signal)
                .setAll(all && execId.isEmpty())
                .build();
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.kill(request, until));
    }

    /** Adds a process, to be started by {@link #start}. */
    public void exec(ExecProcess process, Deadline deadline) {
        ExecProcessRequest.Builder request = ExecProcessRequest.newBuilder()
                .setId(id())
                .setExecId(process.id())
                .setStdin(process.io().stdin())
                .setStdout(process.io().stdout())
                .setStderr(process.io().stderr())
                .setTerminal(process.io().terminal());
        process.spec().ifPresent(spec -> request.setSpec(ShimStarter.any(spec)));
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.exec(request.build(), until));
    }

    /** Removes an ended process of {@link #exec}. */
    public Exit deleteExec(String execId, Deadline deadline) {
        DeleteRequest request =
                DeleteRequest.newBuilder().setId(id()).setExecId(execId).build();
        return exit(once(deadline, timeouts.call(), (shim, until) -> shim.delete(request, until)));
    }

    /** Has the shim remove the ended container; {@link TaskRuntime#delete} does the rest. */
    Exit deleteContainer(Deadline deadline) {
        DeleteRequest request = DeleteRequest.newBuilder().setId(id()).build();
        return init.corrected(exit(once(deadline, timeouts.call(), (shim, until) -> shim.delete(request, until))));
    }

    static Exit exit(DeleteResponse response) {
        return new Exit(
                response.getPid(),
                response.getExitStatus(),
                instant(response.hasExitedAt(), response.getExitedAt()).orElseGet(Instant::now));
    }

    public List<ProcessInfo> pids(Deadline deadline) {
        PidsRequest request = PidsRequest.newBuilder().setId(id()).build();
        return repeatable(deadline, timeouts.call(), (shim, until) -> shim.pids(request, until))
                .getProcessesList()
                .stream()
                .map(process -> new ProcessInfo(
                        process.getPid(), process.hasInfo() ? Optional.of(value(process.getInfo())) : Optional.empty()))
                .toList();
    }

    public void pause(Deadline deadline) {
        PauseRequest request = PauseRequest.newBuilder().setId(id()).build();
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.pause(request, until));
    }

    public void resume(Deadline deadline) {
        ResumeRequest request = ResumeRequest.newBuilder().setId(id()).build();
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.resume(request, until));
    }

    /** Writes a checkpoint to the folder {@code path}. */
    public void checkpoint(String path, Optional<TypedValue> options, Deadline deadline) {
        CheckpointTaskRequest.Builder request =
                CheckpointTaskRequest.newBuilder().setId(id()).setPath(path);
        options.ifPresent(value -> request.setOptions(ShimStarter.any(value)));
        onceVoid(deadline, timeouts.slowCall(), (shim, until) -> shim.checkpoint(request.build(), until));
    }

    /** Changes the container's limits. */
    public void update(Optional<TypedValue> resources, Map<String, String> annotations, Deadline deadline) {
        UpdateTaskRequest.Builder request =
                UpdateTaskRequest.newBuilder().setId(id()).putAllAnnotations(annotations);
        resources.ifPresent(value -> request.setResources(ShimStarter.any(value)));
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.update(request.build(), until));
    }

    public void resizePty(String execId, int width, int height, Deadline deadline) {
        ResizePtyRequest request = ResizePtyRequest.newBuilder()
                .setId(id())
                .setExecId(execId)
                .setWidth(width)
                .setHeight(height)
                .build();
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.resizePty(request, until));
    }

    /** Closes the standard input of a process. */
    public void closeStdin(String execId, Deadline deadline) {
        CloseIORequest request = CloseIORequest.newBuilder()
                .setId(id())
                .setExecId(execId)
                .setStdin(true)
                .build();
        onceVoid(deadline, timeouts.call(), (shim, until) -> shim.closeIo(request, until));
    }

    /** What the container used; the type of the value says whether it is of cgroups v1 or v2. */
    public Optional<TypedValue> stats(Deadline deadline) {
        StatsRequest request = StatsRequest.newBuilder().setId(id()).build();
        StatsResponse response = repeatable(deadline, timeouts.call(), (shim, until) -> shim.stats(request, until));
        return response.hasStats() ? Optional.of(value(response.getStats())) : Optional.empty();
    }

    private void onceVoid(Deadline deadline, Duration limit, ShimAction action) {
        once(deadline, limit, (shim, until) -> {
            action.run(shim, until);
            return Boolean.TRUE;
        });
    }

    /** What must not be done twice: a call that a lost shim may have done fails. */
    private <A> A once(Deadline deadline, Duration limit, BiFunction<ShimClient, Deadline, A> call) {
        Deadline until = deadline.earlier(Deadline.after(limit));
        return call.apply(link.shim(until), until);
    }

    /** What changes nothing: asked again when the shim was lost and replaced in the middle. */
    private <A> A repeatable(Deadline deadline, Duration limit, BiFunction<ShimClient, Deadline, A> call) {
        Deadline until = deadline.earlier(Deadline.after(limit));
        while (true) {
            ShimClient shim = link.shim(until);
            try {
                return call.apply(shim, until);
            } catch (UnavailableException e) {
                if (!shim.isClosed()) {
                    throw e;
                }
                link.lost(shim);
            }
        }
    }

    private static ContainerdException rethrown(ExecutionException e) {
        if (e.getCause() instanceof ContainerdException cause) {
            return cause;
        }
        throw new IllegalStateException("a wait failed unexpectedly", e);
    }

    static TypedValue value(Any any) {
        return new TypedValue(any.getTypeUrl(), any.getValue().toByteArray());
    }

    private static Optional<Instant> instant(boolean present, Timestamp timestamp) {
        // Go writes its zero time for "not yet".
        return present && timestamp.getSeconds() > 0 ? Optional.of(Instants.from(timestamp)) : Optional.empty();
    }

    private static ProcessState.Status status(dev.longshore.api.v1.types.Status status) {
        return switch (status) {
            case CREATED -> ProcessState.Status.CREATED;
            case RUNNING -> ProcessState.Status.RUNNING;
            case STOPPED -> ProcessState.Status.STOPPED;
            case PAUSED -> ProcessState.Status.PAUSED;
            case PAUSING -> ProcessState.Status.PAUSING;
            case UNKNOWN, UNRECOGNIZED -> ProcessState.Status.UNKNOWN;
        };
    }

    private interface ShimAction {
        void run(ShimClient shim, Deadline deadline);
    }
}
