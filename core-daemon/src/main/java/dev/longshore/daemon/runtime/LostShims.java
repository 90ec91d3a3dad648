package dev.longshore.daemon.runtime;

import dev.longshore.api.events.TaskDelete;
import dev.longshore.api.events.TaskExit;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of a task whose shim died. A shim that said it can be is started again, and takes over its container. For
 * others, as in containerd, the shim's program is told to end what is left, and the end of the task is published.
 */
final class LostShims {

    private static final Logger LOG = LoggerFactory.getLogger(LostShims.class);

    private static final int ATTEMPTS = 3;

    /** Shims of a group die together; their programs are run by as many at a time. */
    private static final int CONCURRENT = 4;

    /** For a process that has been killed to be reaped by whoever is its parent now. */
    private static final Duration REAPED = Duration.ofMillis(500);

    private final ShimStarter starter;
    private final Shims shims;
    private final RuntimeTimeouts timeouts;
    private final EventPublisher events;
    private final Semaphore turns = new Semaphore(CONCURRENT);

    LostShims(ShimStarter starter, Shims shims, RuntimeTimeouts timeouts, EventPublisher events) {
        this.starter = starter;
        this.shims = shims;
        this.timeouts = timeouts;
        this.events = events;
    }

    /**
     * Starts the shim again, if it can take over.
     *
     * @param onLost for when that one is lost, too
     * @return whether the task has a shim again
     */
    boolean replace(Task task, Runnable onLost) {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            if (!task.link().isReplaceable() || task.link().isOver()) {
                return false;
            }
            turns.acquireUninterruptibly();
            try {
                ShimClient shim = shims.start(task.bundle(), task.link(), Deadline.after(timeouts.start()));
                int pid = Shims.askForContainer(shim, Deadline.after(timeouts.load()))
                        .getTaskPid();
                task.init().shimWasReplaced();
                task.init().running(pid);
                task.link().attach(shim, onLost);
                LOG.atInfo()
                        .addKeyValue("namespace", task.namespace())
                        .addKeyValue("id", task.id())
                        .log("Another shim took over");
                return true;
            } catch (NotFoundException e) {
                LOG.atWarn()
                        .addKeyValue("namespace", task.namespace())
                        .addKeyValue("id", task.id())
                        .addKeyValue("err", e.getMessage())
                        .log("Another shim does not know the container");
                return false;
            } catch (ContainerdException e) {
                LOG.atWarn()
                        .addKeyValue("namespace", task.namespace())
                        .addKeyValue("id", task.id())
                        .addKeyValue("attempt", attempt)
                        .addKeyValue("err", e.getMessage())
                        .log("Shim cannot be started again");
            } finally {
                turns.release();
            }
        }
        return false;
    }

    /**
     * Ends what is left of the task, removes its bundle, and publishes its exit, if that was not published before, and
     * its deletion.
     *
     * @param forget run before anything is published, so that nobody who hears of it finds the task
     */
    void bury(Task task, Runnable forget) {
        task.link().detach().ifPresent(ShimClient::close);
        Optional<Exit> before = task.init().exitWithoutShim();
        boolean told = task.init().exitWasTold() && before.isPresent();
        Optional<Exit> cleaned = clean(task.bundle(), task.link());
        Exit exit = before.or(() -> task.init().awaitExitWithoutShim(cleaned.isPresent() ? REAPED : Duration.ZERO))
                .or(() -> cleaned)
                .orElseGet(() -> new Exit(task.pid(), Exit.UNKNOWN, Instant.now()));
        int pid = task.pid() != 0 ? task.pid() : exit.pid();
        task.init().exited(exit);
        task.init().close();
        forget.run();
        // Not before the exit is known: who waits for it is woken by this.
        task.link().end().ifPresent(ShimClient::close);
        if (!told) {
            TaskExit event = TaskExit.newBuilder()
                    .setContainerId(task.id())
                    .setId(task.id())
                    .setPid(pid)
                    .setExitStatus(exit.status())
                    .setExitedAt(Instants.to(exit.at()))
                    .build();
            events.publish(
                    task.namespace(), "/tasks/exit", new TypedValue("containerd.events.TaskExit", event.toByteArray()));
        }
        TaskDelete event = TaskDelete.newBuilder()
                .setContainerId(task.id())
                .setPid(pid)
                .setExitStatus(exit.status())
                .setExitedAt(Instants.to(exit.at()))
                .build();
        events.publish(
                task.namespace(), "/tasks/delete", new TypedValue("containerd.events.TaskDelete", event.toByteArray()));
    }

    /** Runs the shim program's {@code delete} and removes the bundle; what fails is logged. */
    Optional<Exit> clean(Bundle bundle, ShimLink link) {
        Optional<Exit> exit = Optional.empty();
        turns.acquireUninterruptibly();
        try {
            exit = Optional.of(starter.delete(bundle, link.binary(), Deadline.after(timeouts.cleanup())));
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim did not clean up");
        } finally {
            turns.release();
        }
        removeBundle(bundle);
        return exit;
    }

    static void removeBundle(Bundle bundle) {
        try {
            bundle.delete();
        } catch (IOException e) {
            LOG.atError()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .setCause(e)
                    .log("Bundle cannot be removed");
        }
    }
}
