package dev.longshore.sdk.snapshot;

import java.time.Instant;
import java.util.Map;

/**
 * What is known of a snapshot.
 *
 * @param name key of an active snapshot or view, name of a committed one
 * @param parent empty for none
 * @param labels unmodifiable
 */
public record SnapshotInfo(
        Kind kind, String name, String parent, Map<String, String> labels, Instant created, Instant updated) {

    public SnapshotInfo {
        labels = Map.copyOf(labels);
    }
}
