package dev.longshore.daemon.proxyplugin;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Keeps calls away from a plugin that says it is well but does not answer them: after so many in a row only one at a time
 * finds out whether that has changed, the others fail at once. Safe for use by many threads; nobody waits.
 */
final class CircuitBreaker {

    /** Fewer may be slow calls. */
    static final int FAILURES = 5;

    /** Between the failure of one trial and the next. */
    static final Duration PAUSE = Duration.ofMillis(500);

    private final LongSupplier nanoTime;
    private int failures;
    private boolean trial;
    private long nextTrial;

    /** @param nanoTime on the scale of {@link System#nanoTime} */
    CircuitBreaker(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** Whether a call may be made; each that may is to be told the end of. */
    synchronized boolean admits() {
        if (failures < FAILURES) {
            return true;
        }
        if (trial || nanoTime.getAsLong() - nextTrial < 0) {
            return false;
        }
        trial = true;
        return true;
    }

    /** The plugin answered, whatever it was. */
    synchronized void answered() {
        failures = 0;
        trial = false;
    }

    /**
     * The plugin had all its time for an answer, or the connection was lost.
     *
     * @return whether calls are kept away from now on
     */
    synchronized boolean failed() {
        failures = Math.min(failures + 1, FAILURES);
        trial = false;
        nextTrial = nanoTime.getAsLong() + PAUSE.toNanos();
        return failures == FAILURES;
    }

    /** The call ended in a way that says nothing of the plugin: whoever made it gave up early. */
    synchronized void unknown() {
        trial = false;
    }
}
