package dev.longshore.cli.text;

import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One line on standard error that says how far a job is, once it has taken longer than a second; on anything but a
 * terminal one line for each step that took that long. Safe for use by many threads.
 */
public final class Progress implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(1);
    private static final Duration REFRESH = Duration.ofMillis(100);

    private final PrintStream out;
    private final boolean terminal;
    private final ReentrantLock lock = new ReentrantLock();
    private final long started = System.nanoTime();
    private long stepStarted = started;
    private long printed;
    private String step = "";
    private boolean dirty;

    public Progress(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** On this program's standard error. */
    public static Progress onStandardError() {
        return new Progress(System.err, Screen.isTerminal(2));
    }

    /** Begins a step, e.g. {@code unpacking layer 2 of 5}. */
    public void step(String name) {
        lock.lock();
        try {
            finishStep();
            step = name;
            stepStarted = System.nanoTime();
            if (terminal && System.nanoTime() - started >= PATIENCE.toNanos()) {
                show(step);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Tells how far the step is. */
    public void at(long done, long total) {
        long now = System.nanoTime();
        if (!terminal || now - started < PATIENCE.toNanos()) {
            return;
        }
        lock.lock();
        try {
            if (now - printed >= REFRESH.toNanos()) {
                show("%s: %s of %s".formatted(step, Amounts.size(done), Amounts.size(total)));
            }
        } finally {
            lock.unlock();
        }
    }

    private void show(String line) {
        Screen.print(out, "\r\033[K" + line);
        printed = System.nanoTime();
        dirty = true;
    }

    private void finishStep() {
        long took = System.nanoTime() - stepStarted;
        if (!terminal && !step.isEmpty() && took >= PATIENCE.toNanos()) {
            Screen.print(out, "%s: %.1f s%n".formatted(step, took / 1e9));
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            finishStep();
            step = "";
            if (dirty) {
                Screen.print(out, "\r\033[K");
                dirty = false;
            }
        } finally {
            lock.unlock();
        }
    }
}
