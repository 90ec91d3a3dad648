package dev.longshore.daemon.gc;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InternalException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects garbage: first the rows, in one short transaction, then at each backend what no row names any more. The
 * backends are gone through side by side and outside of any lock or transaction, so that one that hangs keeps nobody: it is left
 * alone until its last round has ended.
 */
public final class GarbageCollector implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(GarbageCollector.class);

    /** For one round at one backend; each call in it has the backend's own deadline. */
    private static final Duration ROUND = Duration.ofMinutes(10);

    /** For rounds that are under way when this is closed. */
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(2);

    /** For a client that waits for a collection; a backend that takes longer goes on without it. */
    private static final Duration SYNC_WAIT = Duration.ofSeconds(30);

    private final GcConfig config;
    private final Runnable sweep;
    private final Supplier<List<Backend>> backends;
    private final Set<String> busy = ConcurrentHashMap.newKeySet();
    private final Set<Thread> running = ConcurrentHashMap.newKeySet();
    private final Thread scheduler;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private int mutations;
    private int deletions;
    private long requested;
    private long finished;
    private boolean closed;

    /** Why the last sweep failed, if it did. */
    private Optional<RuntimeException> failure = Optional.empty();

    /**
     * Where garbage is.
     *
     * @param removeGarbage removes what no row names, and tells how much that was
     */
    public record Backend(String name, ToIntFunction<CallContext> removeGarbage) {}

    /**
     * @param sweep deletes the rows that nothing refers to
     * @param backends those that there are, asked for at each collection
     */
    public GarbageCollector(GcConfig config, Runnable sweep, Supplier<List<Backend>> backends) {
        this.config = config;
        this.sweep = sweep;
        this.backends = backends;
        this.scheduler = Thread.ofVirtual().name("gc").unstarted(this::schedule);
    }

    public void start() {
        scheduler.start();
    }

    /** Called after each write of metadata. */
    public void written(boolean leftGarbage) {
        lock.lock();
        try {
            boolean wasDue = due();
            mutations++;
            if (leftGarbage) {
                deletions++;
            }
            // There are many writes: nobody is woken for one that changes nothing.
            if (due() && !wasDue) {
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Collects what is garbage now, and waits for it; a backend that hangs is not waited for longer than half a minute.
     *
     * @throws InternalException if nothing could be collected
     */
    public void collect(CallContext context) {
        Deadline deadline = context.within(SYNC_WAIT.plusSeconds(5)).deadline();
        lock.lock();
        try {
            long ticket = ++requested;
            changed.signalAll();
            while (finished < ticket && !closed) {
                if (!changed.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                    deadline.check("garbage collection");
                }
            }
            if (failure.isPresent()) {
                throw new InternalException(
                        "garbage collection failed: " + failure.get().getMessage(), failure.get());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting for the garbage collection", e);
        } finally {
            lock.unlock();
        }
    }

    private void schedule() {
        try {
            awaitFor(config.startupDelay());
            while (!isClosed()) {
                long ticket = takeUp();
                long begin = System.nanoTime();
                Optional<RuntimeException> failed = run(ticket > finished());
                Duration took = Duration.ofNanos(System.nanoTime() - begin);
                finish(ticket, failed);
                // The pause keeps collections to their part of the time.
                awaitFor(Duration.ofNanos((long) (took.toNanos() * (1 / config.pauseThreshold() - 1))));
                if (!awaitDue()) {
                    return;
                }
                awaitFor(config.scheduleDelay());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed
        }
    }

    private long finished() {
        lock.lock();
        try {
            return finished;
        } finally {
            lock.unlock();
        }
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    private long takeUp() {
        lock.lock();
        try {
            mutations = 0;
            deletions = 0;
            return requested;
        } finally {
            lock.unlock();
        }
    }

    private void finish(long ticket, Optional<RuntimeException> failed) {
        lock.lock();
        try {
            failure = failed;
            finished = ticket;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits, but not while a client waits for a collection. */
    private void awaitFor(Duration time) throws InterruptedException {
        Deadline deadline = Deadline.after(time);
        lock.lock();
        try {
            while (requested == finished && !closed && !deadline.remaining().isZero()) {
                changed.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Waits until a collection is due; false once this is closed. */
    private boolean awaitDue() throws InterruptedException {
        lock.lock();
        try {
            while (!closed && requested == finished && !due()) {
                changed.await();
            }
            return !closed;
        } finally {
            lock.unlock();
        }
    }

    private boolean due() {
        return (config.deletionThreshold() > 0 && deletions >= config.deletionThreshold())
                || (deletions > 0 && mutations >= config.mutationThreshold());
    }

    /** Why nothing was collected, if so. */
    private Optional<RuntimeException> run(boolean wait) {
        try {
            sweep.run();
        } catch (RuntimeException e) {
            log.atError().setCause(e).log("garbage collection failed");
            return Optional.of(e);
        }
        List<CountDownLatch> rounds = new ArrayList<>();
        for (Backend backend : backends.get()) {
            if (!busy.add(backend.name())) {
                log.atWarn().addKeyValue("backend", backend.name()).log("the last collection there has not ended yet");
                continue;
            }
            CountDownLatch ended = new CountDownLatch(1);
            rounds.add(ended);
            Thread round = Thread.ofVirtual().unstarted(() -> {
                try {
                    removeGarbage(backend);
                } finally {
                    busy.remove(backend.name());
                    running.remove(Thread.currentThread());
                    ended.countDown();
                }
            });
            running.add(round);
            round.start();
        }
        if (wait) {
            await(rounds);
        }
        return Optional.empty();
    }

    private static void await(List<CountDownLatch> rounds) {
        Deadline deadline = Deadline.after(SYNC_WAIT);
        try {
            for (CountDownLatch round : rounds) {
                if (!round.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void removeGarbage(Backend backend) {
        try {
            int removed = backend.removeGarbage().applyAsInt(CallContext.withoutNamespace(ROUND));
            if (removed > 0) {
                log.atInfo()
                        .addKeyValue("backend", backend.name())
                        .addKeyValue("removed", removed)
                        .log("garbage collected");
            }
        } catch (ContainerdException e) {
            log.atWarn()
                    .addKeyValue("backend", backend.name())
                    .addKeyValue("err", e.getMessage())
                    .log("garbage cannot be removed now; the next collection tries again");
        } catch (RuntimeException e) {
            log.atError().addKeyValue("backend", backend.name()).setCause(e).log("garbage cannot be removed");
        }
    }

    /** Nothing is asked of the metadata any more when this returns; a backend that hangs is not waited for long. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        scheduler.interrupt();
        running.forEach(Thread::interrupt);
        Deadline deadline = Deadline.after(CLOSE_WAIT);
        try {
            if (scheduler.isAlive()) { // it may never have been started
                boolean _ = scheduler.join(deadline.remaining());
            }
            for (Thread round : running) {
                boolean _ = round.join(deadline.remaining());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
