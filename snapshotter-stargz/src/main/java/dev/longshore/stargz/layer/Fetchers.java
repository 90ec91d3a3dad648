package dev.longshore.stargz.layer;

import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Threads that fetch what somebody waits for: a few for each registry, so that one that does not answer takes none from the others. Safe
 * for use by many threads.
 */
final class Fetchers implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Fetchers.class);

    /** Requests at a time to one registry. */
    static final int EACH = 8;

    private final ExecutorService threads = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("fetch-", 0).factory());
    private final Map<String, Executor> lanes = new ConcurrentHashMap<>();

    /**
     * The threads for what comes from one registry. Others of it wait until one is free, in their order; once this is closed there is a
     * {@link RejectedExecutionException}.
     */
    Executor to(String registry) {
        return lanes.computeIfAbsent(registry, _ -> new Lane());
    }

    private final class Lane implements Executor {

        private final ReentrantLock lock = new ReentrantLock();

        // Guarded by lock. As many wait as there are readers, whose number is limited, and files that are read ahead.
        private final Queue<Runnable> waiting = new ArrayDeque<>();
        private int running;

        @Override
        public void execute(Runnable task) {
            lock.lock();
            try {
                if (running == EACH) {
                    waiting.add(task);
                    return;
                }
                running++;
            } finally {
                lock.unlock();
            }
            start(task);
        }

        private void start(Runnable task) {
            try {
                threads.execute(() -> run(task));
            } catch (RuntimeException | Error e) {
                lock.lock();
                try {
                    running--;
                } finally {
                    lock.unlock();
                }
                throw e;
            }
        }

        private void run(Runnable task) {
            try {
                task.run();
            } finally {
                startNext();
            }
        }

        private void startNext() {
            Runnable next;
            lock.lock();
            try {
                next = waiting.poll();
                if (next == null) {
                    running--;
                    return;
                }
            } finally {
                lock.unlock();
            }
            try {
                start(next);
            } catch (RejectedExecutionException e) {
                log.atDebug().setCause(e).log("a request is not made any more: the program ends");
            }
        }
    }

    /** Ends all requests. */
    @Override
    public void close() {
        threads.shutdownNow();
    }
}
