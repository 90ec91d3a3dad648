package dev.longshore.cli.run;

import static dev.longshore.transport.grpc.Unary.call;

import dev.longshore.api.services.tasks.v1.CloseIORequest;
import dev.longshore.api.services.tasks.v1.DeleteProcessRequest;
import dev.longshore.api.services.tasks.v1.DeleteTaskRequest;
import dev.longshore.api.services.tasks.v1.GetRequest;
import dev.longshore.api.services.tasks.v1.KillRequest;
import dev.longshore.api.services.tasks.v1.ListTasksRequest;
import dev.longshore.api.services.tasks.v1.ResizePtyRequest;
import dev.longshore.api.services.tasks.v1.StartRequest;
import dev.longshore.api.services.tasks.v1.WaitRequest;
import dev.longshore.api.v1.types.Process;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The tasks of a daemon's namespace: containers that run, and processes in them. An empty exec id is the container's first. */
public final class Tasks {

    public static final int SIGTERM = 15;
    public static final int SIGKILL = 9;

    private final Daemon daemon;

    public Tasks(Daemon daemon) {
        this.daemon = daemon;
    }

    public List<Process> list() {
        return call(() -> daemon.tasks().list(ListTasksRequest.getDefaultInstance()))
                .getTasksList();
    }

    public Optional<Process> find(String id) {
        try {
            return Optional.of(call(() -> daemon.tasks()
                            .get(GetRequest.newBuilder().setContainerId(id).build()))
                    .getProcess());
        } catch (NotFoundException e) {
            return Optional.empty();
        }
    }

    void start(String id, String execId) {
        call(() -> daemon.tasks()
                .start(StartRequest.newBuilder()
                        .setContainerId(id)
                        .setExecId(execId)
                        .build()));
    }

    /** Begins to wait for the end of a process; to be called before it is started, so that its end is not missed. */
    public CompletableFuture<Integer> exit(String id, String execId) {
        CompletableFuture<Integer> exit = new CompletableFuture<>();
        Thread.startVirtualThread(() -> {
            try {
                exit.complete(call(() -> daemon.tasksWithoutDeadline()
                                .wait(WaitRequest.newBuilder()
                                        .setContainerId(id)
                                        .setExecId(execId)
                                        .build()))
                        .getExitStatus());
            } catch (Throwable e) { // whoever waits must hear of it
                exit.completeExceptionally(e);
            }
        });
        return exit;
    }

    /** The exit status once it is there. */
    static int await(CompletableFuture<Integer> exit) throws InterruptedException {
        try {
            return exit.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ContainerdException cause) {
                throw cause;
            }
            throw new IllegalStateException("waiting for a process failed", e.getCause());
        }
    }

    /** One that has ended meanwhile is fine. */
    public void kill(String id, String execId, int signal) {
        try {
            call(() -> daemon.tasks()
                    .kill(KillRequest.newBuilder()
                            .setContainerId(id)
                            .setExecId(execId)
                            .setSignal(signal)
                            .build()));
        } catch (NotFoundException | FailedPreconditionException e) {
            // Ended.
        }
    }

    void closeInput(String id, String execId) {
        try {
            call(() -> daemon.tasks()
                    .closeIO(CloseIORequest.newBuilder()
                            .setContainerId(id)
                            .setExecId(execId)
                            .setStdin(true)
                            .build()));
        } catch (ContainerdException e) {
            // It has ended, and its input with it.
        }
    }

    void resize(String id, String execId, int columns, int rows) {
        try {
            call(() -> daemon.tasks()
                    .resizePty(ResizePtyRequest.newBuilder()
                            .setContainerId(id)
                            .setExecId(execId)
                            .setWidth(columns)
                            .setHeight(rows)
                            .build()));
        } catch (ContainerdException e) {
            // Not started yet, or ended: a size that did not arrive spoils nothing.
        }
    }

    /** Removes an ended task, and returns its exit status. */
    public int delete(String id) {
        return call(() -> daemon.tasks()
                        .delete(DeleteTaskRequest.newBuilder()
                                .setContainerId(id)
                                .build()))
                .getExitStatus();
    }

    void deleteProcess(String id, String execId) {
        call(() -> daemon.tasks()
                .deleteProcess(DeleteProcessRequest.newBuilder()
                        .setContainerId(id)
                        .setExecId(execId)
                        .build()));
    }

    /**
     * Asks a task to end, makes it end if it has not within {@code grace}, and removes it.
     *
     * @param signal what asks it
     * @return its exit status; empty if there was no task
     */
    public Optional<Integer> stop(String id, int signal, Duration grace) throws InterruptedException {
        if (find(id).isEmpty()) {
            return Optional.empty();
        }
        CompletableFuture<Integer> exit = exit(id, "");
        if (!grace.isZero()) {
            kill(id, "", signal);
            try {
                exit.get(grace.toNanos(), TimeUnit.NANOSECONDS);
            } catch (TimeoutException | ExecutionException e) {
                // Killed below.
            }
        }
        if (!exit.isDone()) {
            kill(id, "", SIGKILL);
        }
        await(exit);
        return Optional.of(delete(id));
    }
}
