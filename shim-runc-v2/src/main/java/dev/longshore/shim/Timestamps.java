package dev.longshore.shim;

import com.google.protobuf.Timestamp;
import java.time.Instant;

/** Instants on the wire. */
final class Timestamps {

    private Timestamps() {}

    static Timestamp of(Instant instant) {
        return Timestamp.newBuilder()
                .setSeconds(instant.getEpochSecond())
                .setNanos(instant.getNano())
                .build();
    }
}
