package dev.longshore.daemon.metadata;

import dev.longshore.daemon.metadata.SnapshotRow.State;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares what a backend has with what the rows name: what no row names is garbage, and what it no longer has is lost. A
 * backend may list more than fits into memory, by mistake or to do harm: of what it lists, no more is kept than is named
 * below.
 */
final class BackendAudit {

    private static final Logger log = LoggerFactory.getLogger(BackendAudit.class);

    private static final String REF = "containerd.io/snapshot.ref";

    /** Snapshots that are removed in one run; the next run takes the rest. */
    private static final int MOST_GARBAGE = 100_000;

    private final String name;
    private final Snapshotter backend;
    private final Database database;
    private final SnapshotRows rows;

    BackendAudit(String name, Snapshotter backend, Database database, SnapshotRows rows) {
        this.name = name;
        this.backend = backend;
        this.database = database;
        this.rows = rows;
    }

    /** What clients have, in all namespaces. */
    SnapshotNames held() {
        return SnapshotNames.of(database.read(rows::all));
    }

    /** What clients have and the backend does not. */
    SnapshotNames lost(CallContext context) {
        Map<String, SnapshotRow> unseen = settled();
        if (unseen.isEmpty()) {
            return SnapshotNames.of(List.of());
        }
        backend.list(context, List.of(), info -> unseen.remove(info.name()));
        // What was removed or committed meanwhile is not lost.
        Map<String, SnapshotRow> now = settled();
        return SnapshotNames.of(unseen.values().stream()
                .filter(row -> now.containsKey(row.backendKey()))
                .toList());
    }

    /** Snapshots that the backend must have, by its keys: made, and not just being committed under another name. */
    private Map<String, SnapshotRow> settled() {
        List<SnapshotRow> all = database.read(rows::all);
        Set<String> sources = all.stream()
                .filter(row -> row.state() == State.COMMITTING)
                .map(row -> row.namespace() + "/" + row.source())
                .collect(Collectors.toSet());
        Map<String, SnapshotRow> settled = new HashMap<>();
        all.stream()
                .filter(row -> row.state() == State.READY && !sources.contains(row.namespace() + "/" + row.name()))
                .forEach(row -> settled.put(row.backendKey(), row));
        return settled;
    }

    /**
     * Removes what the backend has and no row names, children first. To be called for one run at a time.
     *
     * @return how many snapshots were removed
     */
    int removeGarbage(CallContext context) {
        Set<String> known =
                database.read(rows::all).stream().map(SnapshotRow::backendKey).collect(Collectors.toSet());
        Map<String, SnapshotInfo> candidates = new HashMap<>();
        backend.list(context, List.of(), info -> {
            if (!known.contains(info.name()) && candidates.size() < MOST_GARBAGE) {
                candidates.put(info.name(), info);
            }
        });
        // Read after the list: whatever the backend had by then got its row before.
        List<SnapshotRow> all = database.read(rows::all);
        all.forEach(row -> candidates.remove(row.backendKey()));
        Set<String> awaited = all.stream()
                .filter(row -> row.state() == State.MAKING)
                .map(row -> row.labels().getOrDefault(REF, ""))
                .collect(Collectors.toSet());
        candidates.values().removeIf(info -> awaited.contains(info.labels().getOrDefault(REF, "-")));
        int removed = 0;
        while (!candidates.isEmpty()) {
            Set<String> parents = new HashSet<>();
            candidates.values().forEach(info -> parents.add(info.parent()));
            List<String> leaves = candidates.keySet().stream()
                    .filter(key -> !parents.contains(key))
                    .toList();
            if (leaves.isEmpty()) {
                break; // a cycle: nothing of it can be removed
            }
            for (String key : leaves) {
                candidates.remove(key);
                removed += removeOne(context, key) ? 1 : 0;
            }
        }
        try {
            backend.cleanup(context);
        } catch (UnimplementedException e) {
            log.atDebug().addKeyValue("snapshotter", name).log("snapshotter removes at once");
        }
        return removed;
    }

    private boolean removeOne(CallContext context, String key) {
        try {
            backend.remove(context, key);
            return true;
        } catch (NotFoundException e) {
            return false;
        } catch (FailedPreconditionException e) {
            log.atWarn()
                    .addKeyValue("snapshotter", name)
                    .addKeyValue("key", key)
                    .addKeyValue("err", e.getMessage())
                    .log("unreferenced snapshot cannot be removed yet");
            return false;
        }
    }
}
