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
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;

/** The events of one subscriber. */
public final class Subscription implements AutoCloseable {

    /** Events that a subscriber may be behind. */
    static final int MAX_BEHIND = 16384;

    /** Bytes of events that a subscriber may be behind. */
    static final long MAX_BYTES_BEHIND = 32L << 20;

    /** Bytes that an event takes besides its value and its topic. */
    private static final int OVERHEAD = 128;

    private final Filter filter;
    private final Consumer<Subscription> onClose;
    private final BlockingQueue<Envelope> queue = new LinkedBlockingQueue<>(MAX_BEHIND);
    private final AtomicLong bytes = new AtomicLong();
    private volatile boolean overrun;

    Subscription(Filter filter, Consumer<Subscription> onClose) {
        this.filter = filter;
        this.onClose = onClose;
    }

    void offer(Envelope envelope, Function<Envelope, Fields> fields) {
        if (overrun || !filter.matches(fields.apply(envelope))) {
            return;
        }
        long size = size(envelope);
        // One event that is bigger than that by itself still fits when nothing else waits.
        boolean fits = bytes.addAndGet(size) <= MAX_BYTES_BEHIND || queue.isEmpty();
        if (!fits || !queue.offer(envelope)) {
            overrun = true;
            close();
        }
    }

    private static long size(Envelope envelope) {
        return (long) OVERHEAD + envelope.topic().length() + envelope.event().value().length;
    }

    /**
     * The next event; empty if none came within {@code timeout}.
     *
     * @throws ResourceExhaustedException once events were lost because too many waited
     */
    public Optional<Envelope> next(Duration timeout) throws InterruptedException {
        Optional<Envelope> event = Optional.ofNullable(queue.poll(timeout.toNanos(), TimeUnit.NANOSECONDS));
        event.ifPresent(taken -> bytes.addAndGet(-size(taken)));
        if (event.isEmpty() && overrun) {
            throw new ResourceExhaustedException(
                    "subscriber fell more than %d events or %d MiB behind: read faster, or subscribe to less"
                            .formatted(MAX_BEHIND, MAX_BYTES_BEHIND >> 20));
        }
        return event;
    }

    @Override
    public void close() {
        onClose.accept(this);
    }
}
