package dev.longshore.sdk.context;

import dev.longshore.sdk.errors.DeadlineExceededException;
import java.time.Duration;

/**
 * A point on the monotonic clock by which something must be done.
 *
 * @param nanoTime on the scale of {@link System#nanoTime}
 */
public record Deadline(long nanoTime) {

    /** The deadline {@code timeout} from now; about 290 years is the most. */
    public static Deadline after(Duration timeout) {
        return new Deadline(System.nanoTime() + timeout.toNanos());
    }

    /** What is left; zero once it has passed. */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, nanoTime - System.nanoTime()));
    }

    /** The earlier of the two. */
    public Deadline earlier(Deadline other) {
        return nanoTime - other.nanoTime <= 0 ? this : other;
    }

    /** @throws DeadlineExceededException once it has passed */
    public void check(String what) {
        if (remaining().isZero()) {
            throw new DeadlineExceededException(what + ": deadline exceeded");
        }
    }
}
