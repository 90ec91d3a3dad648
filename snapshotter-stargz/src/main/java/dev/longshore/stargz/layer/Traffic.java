package dev.longshore.stargz.layer;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/** What is fetched of all layers, counted, and who goes first: whoever waits for bytes, before what is fetched ahead. */
public final class Traffic {

    /** Why bytes are fetched. */
    public enum Purpose {
        /** Somebody waits for them. */
        ON_DEMAND,
        /** The layer says that they are needed first. */
        PREFETCH,
        /** They may be needed one day. */
        BACKGROUND
    }

    private final Map<Purpose, LongAdder> fetched = new EnumMap<>(Map.of(
            Purpose.ON_DEMAND, new LongAdder(),
            Purpose.PREFETCH, new LongAdder(),
            Purpose.BACKGROUND, new LongAdder()));
    private final LongAdder requests = new LongAdder();
    private final LongAdder hits = new LongAdder();
    private final LongAdder misses = new LongAdder();
    private final LongAdder failures = new LongAdder();
    private final LongAdder mismatches = new LongAdder();
    private volatile Consumer<Duration> waits = _ -> {};
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicLong lastDemand = new AtomicLong(System.nanoTime());

    void fetched(Purpose purpose, long bytes) {
        adder(purpose).add(bytes);
    }

    private LongAdder adder(Purpose purpose) {
        return Objects.requireNonNull(fetched.get(purpose));
    }

    void request() {
        requests.increment();
    }

    void hit() {
        hits.increment();
    }

    void miss() {
        misses.increment();
    }

    void failure() {
        failures.increment();
    }

    void mismatch() {
        mismatches.increment();
    }

    /** Somebody begins to wait for bytes. */
    void beginDemand() {
        waiting.incrementAndGet();
        lastDemand.set(System.nanoTime());
    }

    /** @param waited since {@link #beginDemand} */
    void endDemand(Duration waited) {
        waits.accept(waited);
        lastDemand.set(System.nanoTime());
        waiting.decrementAndGet();
    }

    /** Has {@code sink} told of each wait for bytes from a registry; it replaces an earlier one. */
    public void onWait(Consumer<Duration> sink) {
        waits = sink;
    }

    /** Nanoseconds since somebody last waited for bytes; 0 while somebody does. */
    long idleNanos() {
        return waiting.get() > 0 ? 0 : System.nanoTime() - lastDemand.get();
    }

    /** Compressed bytes that came for that reason. */
    public long fetched(Purpose purpose) {
        return adder(purpose).sum();
    }

    /** Requests for parts of layers. */
    public long requests() {
        return requests.sum();
    }

    /** Reads of chunks that were here. */
    public long hits() {
        return hits.sum();
    }

    /** Reads of chunks that had to be fetched. */
    public long misses() {
        return misses.sum();
    }

    /** Reads that ended with an error. */
    public long failures() {
        return failures.sum();
    }

    /** Chunks that were not what the table of contents promised, from a registry or in the cache. */
    public long mismatches() {
        return mismatches.sum();
    }
}
