package dev.longshore.transport.serve;

import com.google.protobuf.FieldMask;
import com.google.protobuf.Timestamp;
import dev.longshore.api.types.Mount;
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

    public static Instant instant(Timestamp timestamp) {
        return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
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
