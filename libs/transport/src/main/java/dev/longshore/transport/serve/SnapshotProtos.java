package dev.longshore.transport.serve;

import dev.longshore.api.services.snapshots.v1.Info;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;

/** Snapshot values on the wire and off it. */
public final class SnapshotProtos {

    private SnapshotProtos() {}

    public static Info info(SnapshotInfo info) {
        return Info.newBuilder()
                .setName(info.name())
                .setParent(info.parent())
                .setKind(kind(info.kind()))
                .setCreatedAt(Protos.timestamp(info.created()))
                .setUpdatedAt(Protos.timestamp(info.updated()))
                .putAllLabels(info.labels())
                .build();
    }

    /** The record of {@code info}; a kind that is unset or unknown is taken as active, as it is for updates. */
    public static SnapshotInfo record(Info info) {
        return new SnapshotInfo(
                switch (info.getKind()) {
                    case VIEW -> Kind.VIEW;
                    case COMMITTED -> Kind.COMMITTED;
                    case ACTIVE, UNKNOWN, UNRECOGNIZED -> Kind.ACTIVE;
                },
                info.getName(),
                info.getParent(),
                info.getLabelsMap(),
                Protos.instant(info.getCreatedAt()),
                Protos.instant(info.getUpdatedAt()));
    }

    private static dev.longshore.api.services.snapshots.v1.Kind kind(Kind kind) {
        return switch (kind) {
            case VIEW -> dev.longshore.api.services.snapshots.v1.Kind.VIEW;
            case ACTIVE -> dev.longshore.api.services.snapshots.v1.Kind.ACTIVE;
            case COMMITTED -> dev.longshore.api.services.snapshots.v1.Kind.COMMITTED;
        };
    }
}
