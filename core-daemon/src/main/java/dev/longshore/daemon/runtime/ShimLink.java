package dev.longshore.daemon.runtime;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.typeurl.TypedValue;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The way to a task's shim through losses. It is in one of three states: the shim is there; it was lost and somebody is
 * getting another, which callers wait for; or the task is over, and callers hear so.
 *
 * <p>The lock is held for changes of state only, never during a call.
 */
final class ShimLink {

    private final String id;
    private final Path binary;
    private final Optional<TypedValue> options;
    private final ReentrantLock lock = new ReentrantLock();

    /** Done while the shim is there; failed when the task is over. */
    private volatile CompletableFuture<ShimClient> current = new CompletableFuture<>();

    private volatile boolean replaceable;
    private @Nullable Runnable onLost;
    private ShimLogs.@Nullable Follower log;
    private boolean over;

    /**
     * @param binary the program that starts the shim
     * @param options that it was started with, if known
     */
    ShimLink(String id, Path binary, Optional<TypedValue> options) {
        this.id = id;
        this.binary = binary;
        this.options = options;
    }

    Path binary() {
        return binary;
    }

    Optional<TypedValue> options() {
        return options;
    }

    /** The shim's log, to be closed with the task. */
    void log(ShimLogs.Follower log) {
        this.log = log;
    }

    void closeLog() {
        if (log != null) {
            log.close();
        }
    }

    /** Whether a lost shim is replaced by starting it again, as its last answer said. */
    boolean isReplaceable() {
        return replaceable;
    }

    void replaceable(boolean replaceable) {
        this.replaceable = replaceable;
    }

    /**
     * The shim is there from now on.
     *
     * @param onLost run on the thread that notices, when it is not any more, unless the task was over by then
     */
    void attach(ShimClient shim, Runnable onLost) {
        lock.lock();
        try {
            if (over) {
                shim.close();
                return;
            }
            this.onLost = onLost;
            if (!current.complete(shim)) {
                current = CompletableFuture.completedFuture(shim);
            }
        } finally {
            lock.unlock();
        }
        if (shim.isClosed()) {
            lost(shim);
        }
    }

    /** {@code shim} does not answer any more; heard again for the same one, this does nothing. */
    void lost(ShimClient shim) {
        Runnable action;
        lock.lock();
        try {
            if (over || current.getNow(null) != shim) {
                return;
            }
            current = new CompletableFuture<>();
            action = onLost;
        } finally {
            lock.unlock();
        }
        if (action != null) {
            action.run();
        }
    }

    /**
     * Takes the shim away, if there is one. Callers wait from now on, until {@link #end}, so that those who ask for an exit
     * hear it when it is known.
     */
    Optional<ShimClient> detach() {
        lock.lock();
        try {
            Optional<ShimClient> last = attached();
            if (!over && last.isPresent()) {
                current = new CompletableFuture<>();
            }
            return last;
        } finally {
            lock.unlock();
        }
    }

    private Optional<ShimClient> attached() {
        return current.isCompletedExceptionally() ? Optional.empty() : Optional.ofNullable(current.getNow(null));
    }

    /** The task is over: a closed connection is no loss from now on. */
    Optional<ShimClient> end() {
        lock.lock();
        try {
            over = true;
            Optional<ShimClient> last = attached();
            NotFoundException gone = new NotFoundException("task %s is gone".formatted(id));
            if (!current.completeExceptionally(gone)) {
                current = CompletableFuture.failedFuture(gone);
            }
            return last;
        } finally {
            lock.unlock();
        }
    }

    boolean isOver() {
        lock.lock();
        try {
            return over;
        } finally {
            lock.unlock();
        }
    }

    /**
     * @throws UnavailableException if the shim was lost and no other is there in time
     * @throws NotFoundException if the task is over
     */
    ShimClient shim(Deadline deadline) {
        try {
            return current.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new UnavailableException("the shim of task %s was lost and is not back yet".formatted(id), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("the call to task %s was given up".formatted(id), e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ContainerdException cause) {
                throw cause;
            }
            throw new IllegalStateException("a shim was attached with an error", e);
        }
    }
}
