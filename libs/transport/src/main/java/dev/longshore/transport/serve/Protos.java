package dev.longshore.transport.serve;

import com.google.protobuf.FieldMask;
import com.google.protobuf.Timestamp;
import dev.longshore.api.types.Mount;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;

/** Values on the wire and off it, for both sides of every contract. */
public final class Protos {

    private Protos() {}

    public static Timestamp timestamp(Instant instant) {
        return Timestamp.newBuilder()
                .setSeconds(instant.getEpochSecond())
                .setNanos(instant.getNano())
                .build();
    }

    /** @throws InvalidArgumentException if there is no such time */
    public static Instant instant(Timestamp timestamp) {
        try {
            return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
        } catch (DateTimeException e) {
            throw new InvalidArgumentException(
                    "timestamp of %d seconds: %s".formatted(timestamp.getSeconds(), e.getMessage()), e);
        }
    }

    public static List<Mount> mounts(List<dev.longshore.sdk.mount.Mount> mounts) {
        return mounts.stream()
                .map(mount -> Mount.newBuilder()
                        .setType(mount.type())
                        .setSource(mount.source())
                        .setTarget(mount.target())
                        .addAllOptions(mount.options())
                        .build())
                .toList();
    }

    public static List<dev.longshore.sdk.mount.Mount> mountRecords(List<Mount> mounts) {
        return mounts.stream()
                .map(mount -> new dev.longshore.sdk.mount.Mount(
                        mount.getType(), mount.getSource(), mount.getTarget(), mount.getOptionsList()))
                .toList();
    }

    /** The paths of a mask, which is empty when the client sent none. */
    public static List<String> paths(FieldMask mask) {
        return List.copyOf(mask.getPathsList());
    }
}
