package dev.longshore.daemon.runtime;

import com.google.protobuf.Timestamp;
import java.time.Instant;

/** Points in time, as protobuf has them. */
final class Instants {

    private Instants() {}

    /** A timestamp out of protobuf's range, which a shim may send, becomes the nearest that is in it. */
    static Instant from(Timestamp timestamp) {
        long seconds = Math.clamp(timestamp.getSeconds(), -62_135_596_800L, 253_402_300_799L);
        return Instant.ofEpochSecond(seconds, Math.clamp(timestamp.getNanos(), 0, 999_999_999));
    }

    static Timestamp to(Instant instant) {
        return Timestamp.newBuilder()
                .setSeconds(instant.getEpochSecond())
                .setNanos(instant.getNano())
                .build();
    }
}
