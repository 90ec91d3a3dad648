package dev.longshore.daemon.metadata;

import java.util.List;

/**
 * Some snapshots, for a message.
 *
 * @param count of all
 * @param first the first few in order, as {@code namespace/name}
 */
public record SnapshotNames(int count, List<String> first) {

    /** More of them would not be read. */
    static final int SHOWN = 10;

    public SnapshotNames {
        first = List.copyOf(first);
    }

    static SnapshotNames of(List<SnapshotRow> rows) {
        return new SnapshotNames(
                rows.size(),
                rows.stream()
                        .map(row -> row.namespace() + "/" + row.name())
                        .sorted()
                        .limit(SHOWN)
                        .toList());
    }

    @Override
    public String toString() {
        return "%d snapshot%s: %s%s"
                .formatted(count, count == 1 ? "" : "s", String.join(", ", first), count > first.size() ? ", ..." : "");
    }
}
