package dev.longshore.shim;

import dev.longshore.sdk.linux.Epoll;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.time.Duration;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntConsumer;

/**
 * Waits for the ends of processes, all on one thread. Of those that it was not told to watch it reaps only what containers have
 * left: those that the JDK starts are the JDK's.
 */
final class ExitWatcher implements AutoCloseable {

    /** Where nobody can tell how a process ended, as containerd has it. */
    static final int UNKNOWN_STATUS = 255;

    /** For the parent of a process that is not ours to reap it. */
    private static final int REAPED_ELSEWHERE_TRIES = 200;

    private static final long REAPED_ELSEWHERE_NANOS = 10_000_000;

    /** Between looks for orphans. Less than the ten seconds that {@code runsc delete} waits for its own to be gone. */
    private static final Duration ORPHANS_PERIOD = Duration.ofSeconds(2);

    private final Epoll epoll;
    private final Map<Integer, Watch> watches = new ConcurrentHashMap<>();

    /** The pids of those that are watched, until they are reaped. */
    private final Set<Integer> watched = ConcurrentHashMap.newKeySet();

    private final ReentrantReadWriteLock making = new ReentrantReadWriteLock();
    private volatile boolean orphansExpected;
    private volatile boolean closed;

    private record Watch(PidFd process, IntConsumer onExit) {}

    ExitWatcher() throws ErrnoException {
        this.epoll = new Epoll();
        Thread.ofPlatform().name("exits").daemon(true).start(this::run);
    }

    /**
     * Watches a process, and closes its descriptor afterwards.
     *
     * @param onExit told the status, on a virtual thread
     */
    void watch(PidFd process, IntConsumer onExit) throws ErrnoException {
        watched.add(process.pid());
        watches.put(process.fd(), new Watch(process, onExit));
        epoll.add(process.fd());
    }

    /** To be held from before a process of a container is made until it is watched: else it might be taken for an orphan. */
    Lock making() {
        return making.readLock();
    }

    /** From now on there are containers whose orphans become children of this process. */
    void expectOrphans() {
        orphansExpected = true;
        epoll.wake();
    }

    private void run() {
        while (!closed) {
            try {
                for (int fd : orphansExpected ? epoll.await(ORPHANS_PERIOD) : epoll.await()) {
                    ended(fd);
                }
                if (orphansExpected && making.writeLock().tryLock()) {
                    try {
                        Orphans.reap(pid -> !watched.contains(pid));
                    } finally {
                        making.writeLock().unlock();
                    }
                }
            } catch (ErrnoException e) {
                if (!closed) {
                    throw new IllegalStateException("cannot wait for processes", e);
                }
            }
        }
    }

    private void ended(int fd) throws ErrnoException {
        Watch watch = watches.remove(fd);
        if (watch == null) {
            return;
        }
        epoll.remove(fd);
        Thread.startVirtualThread(() -> {
            int status = status(watch.process);
            watched.remove(watch.process.pid());
            watch.process.close();
            watch.onExit.accept(status);
        });
    }

    private static int status(PidFd process) {
        try {
            OptionalInt reaped = process.reap();
            if (reaped.isPresent()) {
                return reaped.getAsInt();
            }
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ECHILD) {
                return UNKNOWN_STATUS;
            }
        }
        // Adopted: its parent reaps it, and the kernel then tells us.
        for (int i = 0; i < REAPED_ELSEWHERE_TRIES; i++) {
            OptionalInt told = process.exitStatus();
            if (told.isPresent()) {
                return told.getAsInt();
            }
            LockSupport.parkNanos(REAPED_ELSEWHERE_NANOS);
        }
        return UNKNOWN_STATUS;
    }

    @Override
    public void close() {
        closed = true;
        epoll.wake();
    }
}
