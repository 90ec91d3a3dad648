package dev.longshore.daemon.metadata;

import dev.longshore.daemon.metadata.SnapshotRow.State;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.snapshot.Kind;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The rows of one snapshotter's snapshots. */
final class SnapshotRows {

    private final String snapshotter;

    SnapshotRows(String snapshotter) {
        this.snapshotter = snapshotter;
    }

    /** At start: forgets what was being prepared when the daemon died. Nobody was told that it exists. */
    static void dropUnmade(Database database) {
        database.write(tx -> tx.update("DELETE FROM snapshot WHERE state = 'making'"));
    }

    Optional<SnapshotRow> find(Tx tx, NamespaceId namespace, String name) throws SQLException {
        return tx.first(
                "SELECT * FROM snapshot WHERE namespace = ? AND snapshotter = ? AND name = ?",
                SnapshotRows::row,
                namespace.value(),
                snapshotter,
                name);
    }

    /**
     * The snapshot, if nothing is under way with it.
     *
     * @throws NotFoundException if there is none
     * @throws UnavailableException while it is being committed
     */
    SnapshotRow require(Tx tx, NamespaceId namespace, String name) throws SQLException {
        SnapshotRow row = find(tx, namespace, name)
                .filter(found -> found.state() == State.READY)
                .orElseThrow(() -> missing(name));
        if (tx.exists(
                "SELECT 1 FROM snapshot WHERE namespace = ? AND snapshotter = ? AND source = ?",
                namespace.value(),
                snapshotter,
                name)) {
            throw new UnavailableException(
                    "snapshot \"%s\" of %s is being committed: try again".formatted(name, snapshotter));
        }
        return row;
    }

    NotFoundException missing(String name) {
        return new NotFoundException("snapshot \"%s\" of %s".formatted(name, snapshotter));
    }

    List<SnapshotRow> ready(Tx tx, NamespaceId namespace) throws SQLException {
        return tx.query(
                "SELECT * FROM snapshot WHERE namespace = ? AND snapshotter = ? AND state = 'ready' ORDER BY name",
                SnapshotRows::row,
                namespace.value(),
                snapshotter);
    }

    /** Of all namespaces, in any state. */
    List<SnapshotRow> all(Tx tx) throws SQLException {
        return tx.query("SELECT * FROM snapshot WHERE snapshotter = ?", SnapshotRows::row, snapshotter);
    }

    boolean hasChildren(Tx tx, NamespaceId namespace, String name) throws SQLException {
        return tx.exists(
                "SELECT 1 FROM snapshot WHERE namespace = ? AND snapshotter = ? AND parent = ? LIMIT 1",
                namespace.value(),
                snapshotter,
                name);
    }

    void put(Tx tx, SnapshotRow row) throws SQLException {
        tx.update(
                """
                INSERT OR REPLACE INTO snapshot
                    (namespace, snapshotter, name, backend_key, parent, kind, state, source, labels, created, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                row.namespace(),
                snapshotter,
                row.name(),
                row.backendKey(),
                row.parent(),
                text(row.kind()),
                text(row.state()),
                row.source(),
                TextMap.write(row.labels()),
                row.created(),
                row.updated());
    }

    /** Says that the backend has it. */
    void markReady(Tx tx, SnapshotRow row) throws SQLException {
        SnapshotRow ready = row.ready();
        tx.update(
                "UPDATE snapshot SET state = ?, source = ? WHERE namespace = ? AND snapshotter = ? AND name = ?",
                text(ready.state()),
                ready.source(),
                row.namespace(),
                snapshotter,
                row.name());
    }

    void delete(Tx tx, SnapshotRow row) throws SQLException {
        tx.update(
                "DELETE FROM snapshot WHERE namespace = ? AND snapshotter = ? AND name = ?",
                row.namespace(),
                snapshotter,
                row.name());
    }

    private static SnapshotRow row(ResultSet row) throws SQLException {
        return new SnapshotRow(
                row.getString("namespace"),
                row.getString("name"),
                row.getString("backend_key"),
                row.getString("parent"),
                Kind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
                State.valueOf(row.getString("state").toUpperCase(Locale.ROOT)),
                row.getString("source"),
                TextMap.read(row.getString("labels")),
                Tx.instant(row, "created"),
                Tx.instant(row, "updated"));
    }

    private static String text(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
