package dev.longshore.daemon.metadata;

import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import java.time.Instant;
import java.util.Map;

/**
 * A snapshot as clients know it, and the key by which its backend does.
 *
 * @param source the key of the active snapshot that is being committed as this one; else empty
 */
record SnapshotRow(
        String namespace,
        String name,
        String backendKey,
        String parent,
        Kind kind,
        State state,
        String source,
        Map<String, String> labels,
        Instant created,
        Instant updated) {

    enum State {
        MAKING,
        COMMITTING,
        READY
    }

    SnapshotInfo info() {
        return new SnapshotInfo(kind, name, parent, labels, created, updated);
    }

    SnapshotRow withLabels(Map<String, String> labels, Instant updated) {
        return new SnapshotRow(namespace, name, backendKey, parent, kind, state, source, labels, created, updated);
    }

    SnapshotRow ready() {
        return new SnapshotRow(namespace, name, backendKey, parent, kind, State.READY, "", labels, created, updated);
    }
}
