package dev.longshore.stargz.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** A read that somebody waits for, who may be killed meanwhile. */
final class PendingRead {

    /** How often it is looked whether the reader is to die. */
    private static final long LOOK_MILLIS = 100;

    /** In the masks of proc_pid_status(5). */
    private static final long SIGKILL = 1L << (9 - 1);

    private final int thread;
    private final AtomicBoolean interrupted = new AtomicBoolean();
    private final CountDownLatch answered = new CountDownLatch(1);
    private final AtomicBoolean answer = new AtomicBoolean();
    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock.
    private @Nullable Thread worker;
    private boolean abandoned;

    /** @param thread that reads; 0 for the kernel's own reading ahead */
    PendingRead(int thread) {
        this.thread = thread;
    }

    /** The caller does the read; false if nobody wants it any more. */
    boolean begin() {
        lock.lock();
        try {
            worker = Thread.currentThread();
            return !abandoned;
        } finally {
            lock.unlock();
        }
    }

    /** The caller is done with it, and not interrupted any more. */
    void end() {
        lock.lock();
        try {
            worker = null;
            if (abandoned) {
                Thread.interrupted();
            }
        } finally {
            lock.unlock();
        }
    }

    /** It is not to be answered by this program: whoever does the read need not wait for it. */
    void abandon() {
        lock.lock();
        try {
            abandoned = true;
            if (worker != null) {
                worker.interrupt();
            }
        } finally {
            lock.unlock();
        }
    }

    boolean isAbandoned() {
        lock.lock();
        try {
            return abandoned;
        } finally {
            lock.unlock();
        }
    }

    /** Whether it is for the caller to answer: there is one answer. */
    boolean answer() {
        if (!answer.compareAndSet(false, true)) {
            return false;
        }
        answered.countDown();
        return true;
    }

    /** Whether it is for the caller to look after the reader: one does. */
    boolean interrupt() {
        return thread != 0 && interrupted.compareAndSet(false, true);
    }

    /** Waits until the reader is to die, or is gone; false once it has its answer. */
    boolean awaitKill() throws IOException, InterruptedException {
        while (!isKilled()) {
            if (answered.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
                return false;
            }
        }
        return true;
    }

    private boolean isKilled() throws IOException {
        try {
            return Files.readAllLines(Path.of("/proc", Integer.toString(thread), "status")).stream()
                    .filter(line -> line.startsWith("SigPnd:") || line.startsWith("ShdPnd:"))
                    .anyMatch(line -> (Long.parseUnsignedLong(line.substring(7).strip(), 16) & SIGKILL) != 0);
        } catch (NoSuchFileException e) {
            return true;
        }
    }
}
