package dev.longshore.daemon.event;

import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

/** The events of one subscriber. */
public final class Subscription implements AutoCloseable {

    /** Events that a subscriber may be behind. */
    private static final int MAX_BEHIND = 16384;

    private final Filter filter;
    private final Consumer<Subscription> onClose;
    private final BlockingQueue<Envelope> queue = new LinkedBlockingQueue<>(MAX_BEHIND);
    private volatile boolean overrun;

    Subscription(Filter filter, Consumer<Subscription> onClose) {
        this.filter = filter;
        this.onClose = onClose;
    }

    void offer(Envelope envelope, Function<Envelope, Fields> fields) {
        if (filter.matches(fields.apply(envelope)) && !queue.offer(envelope)) {
            overrun = true;
            close();
        }
    }

    /**
     * The next event; empty if none came within {@code timeout}.
     *
     * @throws ResourceExhaustedException once events were lost because too many waited
     */
    public Optional<Envelope> next(Duration timeout) throws InterruptedException {
        Optional<Envelope> event = Optional.ofNullable(queue.poll(timeout.toNanos(), TimeUnit.NANOSECONDS));
        if (event.isEmpty() && overrun) {
            throw new ResourceExhaustedException(
                    "subscriber fell more than %d events behind: read faster, or subscribe to less"
                            .formatted(MAX_BEHIND));
        }
        return event;
    }

    @Override
    public void close() {
        onClose.accept(this);
    }
}
