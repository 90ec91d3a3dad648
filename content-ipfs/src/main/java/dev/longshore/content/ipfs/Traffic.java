package dev.longshore.content.ipfs;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/** Counts where blocks come from. Safe for use by many threads. */
final class Traffic {

    /** Where a block is from. */
    enum Origin {
        DISK,
        NODE,
        GATEWAY
    }

    private final Map<Origin, LongAdder> blocks = adders();
    private final Map<Origin, LongAdder> bytes = adders();
    private final LongAdder hits = new LongAdder();
    private final LongAdder mismatches = new LongAdder();
    private final LongAdder served = new LongAdder();

    private static Map<Origin, LongAdder> adders() {
        Map<Origin, LongAdder> adders = new EnumMap<>(Origin.class);
        for (Origin origin : Origin.values()) {
            adders.put(origin, new LongAdder());
        }
        return Map.copyOf(adders);
    }

    void read(Origin origin, long size) {
        of(blocks, origin).increment();
        of(bytes, origin).add(size);
    }

    private static LongAdder of(Map<Origin, LongAdder> adders, Origin origin) {
        return Objects.requireNonNull(adders.get(origin));
    }

    /** A read of a block that was verified before. */
    void hit() {
        hits.increment();
    }

    void mismatch() {
        mismatches.increment();
    }

    /** Bytes that went to a peer. */
    void served(long size) {
        served.add(size);
    }

    double blocks(Origin origin) {
        return of(blocks, origin).sum();
    }

    double bytes(Origin origin) {
        return of(bytes, origin).sum();
    }

    double hits() {
        return hits.sum();
    }

    double mismatches() {
        return mismatches.sum();
    }

    double served() {
        return served.sum();
    }
}
