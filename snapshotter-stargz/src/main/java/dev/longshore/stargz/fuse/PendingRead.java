package dev.longshore.stargz.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

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
    private final CompletableFuture<Void> gone = new CompletableFuture<>();

    /** @param thread that reads; 0 for the kernel's own reading ahead */
    PendingRead(int thread) {
        this.thread = thread;
    }

    /** It is not to be answered by this program: whoever does the read need not wait for it. */
    void abandon() {
        gone.complete(null);
    }

    boolean isAbandoned() {
        return gone.isDone();
    }

    /** Done once it is abandoned. */
    CompletableFuture<Void> gone() {
        return gone;
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
