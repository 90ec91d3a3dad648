package dev.longshore.daemon.metadata;

import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.namespace.NamespaceId;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The namespaces. */
public final class NamespaceStore {

    private final Database database;

    NamespaceStore(Database database) {
        this.database = database;
    }

    /**
     * A namespace, or one without labels if there is none yet: every client of containerd's asks for the defaults in the labels of its
     * namespace before that has a first object, and dockerd does not start when that fails.
     */
    public Namespace get(NamespaceId id) {
        return database.read(tx -> find(tx, id)).orElseGet(() -> new Namespace(id, Map.of()));
    }

    private static Optional<Namespace> find(Tx tx, NamespaceId id) throws SQLException {
        return tx.first("SELECT * FROM namespace WHERE name = ?", NamespaceStore::namespace, id.value());
    }

    private static Namespace require(Tx tx, NamespaceId id) throws SQLException {
        return find(tx, id).orElseThrow(() -> new NotFoundException("namespace \"%s\"".formatted(id)));
    }

    private static Namespace namespace(ResultSet row) throws SQLException {
        return new Namespace(new NamespaceId(row.getString("name")), TextMap.read(row.getString("labels")));
    }

    /** All of them, by name. */
    public List<Namespace> list() {
        return database.read(tx -> tx.query("SELECT * FROM namespace ORDER BY name", NamespaceStore::namespace));
    }

    /** @throws AlreadyExistsException if there is such a namespace */
    public void create(Namespace namespace) {
        Labels.check(namespace.labels());
        database.write(tx -> {
            if (tx.update(
                            "INSERT OR IGNORE INTO namespace (name, labels) VALUES (?, ?)",
                            namespace.id().value(),
                            TextMap.write(namespace.labels()))
                    == 0) {
                throw new AlreadyExistsException("namespace \"%s\"".formatted(namespace.id()));
            }
            return true;
        });
    }

    /**
     * Changes labels.
     *
     * @param paths as {@link Labels#update} has them
     * @return the namespace afterwards
     */
    public Namespace update(NamespaceId id, Map<String, String> labels, List<String> paths) {
        return database.write(tx -> {
            Map<String, String> updated = Labels.update(require(tx, id).labels(), labels, paths);
            tx.update("UPDATE namespace SET labels = ? WHERE name = ?", TextMap.write(updated), id.value());
            return new Namespace(id, updated);
        });
    }

    /** @throws FailedPreconditionException if something is left in it; the message says of which kinds */
    public void delete(NamespaceId id) {
        database.write(tx -> {
            require(tx, id);
            List<String> left = new ArrayList<>();
            for (Map.Entry<String, String> kind : List.of(
                    Map.entry("image", "images"), Map.entry("blob", "blobs"), Map.entry("container", "containers"))) {
                if (tx.exists("SELECT 1 FROM " + kind.getKey() + " WHERE namespace = ? LIMIT 1", id.value())) {
                    left.add(kind.getValue());
                }
            }
            left.addAll(tx.query(
                    "SELECT DISTINCT snapshotter FROM snapshot WHERE namespace = ? ORDER BY snapshotter",
                    row -> "snapshots on \"%s\" snapshotter".formatted(row.getString(1)),
                    id.value()));
            if (!left.isEmpty()) {
                throw new FailedPreconditionException(
                        "namespace \"%s\" must be empty, but it still has %s".formatted(id, String.join(", ", left)));
            }
            // What is left can only be leases and half-written ingests, which mean nothing without the rest.
            tx.update("DELETE FROM ingest WHERE namespace = ?", id.value());
            tx.update("DELETE FROM lease WHERE namespace = ?", id.value());
            tx.update("DELETE FROM namespace WHERE name = ?", id.value());
            tx.leavesGarbage();
            return true;
        });
    }
}
