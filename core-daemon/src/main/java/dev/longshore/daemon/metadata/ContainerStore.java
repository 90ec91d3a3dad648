package dev.longshore.daemon.metadata;

import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.namespace.Identifiers;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The containers of all namespaces. */
public final class ContainerStore {

    private static final List<String> MUTABLE = List.of("labels", "spec", "extensions", "image", "snapshotkey");

    private final Database database;
    private final Clock clock;

    ContainerStore(Database database, Clock clock) {
        this.database = database;
        this.clock = clock;
    }

    /** @throws NotFoundException if there is no such container */
    public Container get(NamespaceId namespace, String id) {
        return database.read(tx -> get(tx, namespace, id));
    }

    private static Container get(Tx tx, NamespaceId namespace, String id) throws SQLException {
        Optional<Container> container = tx.first(
                "SELECT * FROM container WHERE namespace = ? AND id = ?",
                row -> container(row, extensions(tx, namespace, id)),
                namespace.value(),
                id);
        return container.orElseThrow(() -> missing(id));
    }

    private static Map<String, TypedValue> extensions(Tx tx, NamespaceId namespace, String id) throws SQLException {
        Map<String, TypedValue> extensions = new HashMap<>();
        tx.query(
                "SELECT name, type, value FROM container_extension WHERE namespace = ? AND container = ?",
                row -> extensions.put(row.getString(1), new TypedValue(row.getString(2), row.getBytes(3))),
                namespace.value(),
                id);
        return extensions;
    }

    private static Container container(ResultSet row, Map<String, TypedValue> extensions) throws SQLException {
        return new Container(
                row.getString("id"),
                row.getString("image"),
                row.getString("runtime"),
                typed(row, "options"),
                typed(row, "spec"),
                row.getString("snapshotter"),
                row.getString("snapshot_key"),
                row.getString("sandbox"),
                TextMap.read(row.getString("labels")),
                extensions,
                Tx.instant(row, "created"),
                Tx.instant(row, "updated"));
    }

    /** An empty type stands for no value. */
    private static Optional<TypedValue> typed(ResultSet row, String column) throws SQLException {
        String type = row.getString(column + "_type");
        return type.isEmpty() ? Optional.empty() : Optional.of(new TypedValue(type, row.getBytes(column)));
    }

    /** The containers that one of the filters takes, over id, runtime.name, image and labels, by id. */
    public List<Container> list(NamespaceId namespace, List<String> filters) {
        Filter filter = Filter.any(filters);
        return database
                .read(tx -> tx.query(
                        "SELECT * FROM container WHERE namespace = ? ORDER BY id",
                        row -> container(row, extensions(tx, namespace, row.getString("id"))),
                        namespace.value()))
                .stream()
                .filter(container -> filter.matches(fields(container)))
                .toList();
    }

    private static Fields fields(Container container) {
        return path -> switch (path.getFirst()) {
            case "id" -> Fields.set(container.id());
            case "runtime" ->
                path.size() > 1 && path.get(1).equals("name") ? Fields.set(container.runtime()) : Optional.empty();
            case "image" -> Fields.set(container.image());
            case "labels" -> Fields.entry(container.labels(), path);
            default -> Optional.empty();
        };
    }

    /**
     * Stores a container; times of the record are not looked at.
     *
     * @throws AlreadyExistsException if the id is taken
     */
    public Container create(NamespaceId namespace, Container container) {
        Identifiers.check("container", container.id());
        validate(container);
        Container created = withTimes(container, clock.instant(), clock.instant());
        return database.write(tx -> {
            Namespaces.ensure(tx, namespace);
            if (tx.exists("SELECT 1 FROM container WHERE namespace = ? AND id = ?", namespace.value(), created.id())) {
                throw new AlreadyExistsException("container \"%s\"".formatted(created.id()));
            }
            put(tx, namespace, created);
            return created;
        });
    }

    /**
     * Changes a container.
     *
     * @param paths {@code labels}, {@code labels.<key>}, {@code spec}, {@code extensions}, {@code extensions.<name>},
     *     {@code image}, {@code snapshotkey}; empty for all of these
     * @throws InvalidArgumentException if a path is another, or a container without paths has another runtime or snapshotter
     */
    public Container update(NamespaceId namespace, Container wanted, List<String> paths) {
        if (wanted.id().isEmpty()) {
            throw new InvalidArgumentException("a container id is required for an update");
        }
        return database.write(tx -> {
            Container current = get(tx, namespace, wanted.id());
            if (paths.isEmpty()) {
                requireSame("snapshotter", wanted, current.snapshotter(), wanted.snapshotter());
                requireSame("runtime", wanted, current.runtime(), wanted.runtime());
            }
            Container updated = current;
            for (String path : paths.isEmpty() ? MUTABLE : paths) {
                updated = updated(updated, wanted, path);
            }
            updated = withTimes(updated, current.created(), clock.instant());
            validate(updated);
            put(tx, namespace, updated);
            tx.leavesGarbage();
            return updated;
        });
    }

    private static void requireSame(String field, Container container, String current, String wanted) {
        if (!current.equals(wanted)) {
            throw new InvalidArgumentException("the %s of container \"%s\" is %s and cannot be changed to \"%s\""
                    .formatted(field, container.id(), current, wanted));
        }
    }

    private static Container updated(Container current, Container wanted, String path) {
        boolean labels = path.equals("labels") || path.startsWith("labels.");
        boolean extensions = path.equals("extensions") || path.startsWith("extensions.");
        if (!labels && !extensions && !MUTABLE.contains(path)) {
            throw new InvalidArgumentException("field %s of container \"%s\" cannot be updated: only %s can"
                    .formatted(path, current.id(), String.join(", ", MUTABLE)));
        }
        return new Container(
                current.id(),
                path.equals("image") ? wanted.image() : current.image(),
                current.runtime(),
                current.options(),
                path.equals("spec") ? wanted.spec() : current.spec(),
                current.snapshotter(),
                path.equals("snapshotkey") ? wanted.snapshotKey() : current.snapshotKey(),
                current.sandbox(),
                labels ? Labels.update(current.labels(), wanted.labels(), List.of(path)) : current.labels(),
                extensions ? extensions(current, wanted, path) : current.extensions(),
                current.created(),
                current.updated());
    }

    private static Map<String, TypedValue> extensions(Container current, Container wanted, String path) {
        if (path.equals("extensions")) {
            return wanted.extensions();
        }
        String name = path.substring("extensions.".length());
        Map<String, TypedValue> extensions = new HashMap<>(current.extensions());
        TypedValue value = wanted.extensions().get(name);
        if (value == null) {
            extensions.remove(name);
        } else {
            extensions.put(name, value);
        }
        return extensions;
    }

    /** @throws NotFoundException if there is no such container */
    public void delete(NamespaceId namespace, String id) {
        database.write(tx -> {
            if (tx.update("DELETE FROM container WHERE namespace = ? AND id = ?", namespace.value(), id) == 0) {
                throw missing(id);
            }
            tx.leavesGarbage();
            return true;
        });
    }

    private static void put(Tx tx, NamespaceId namespace, Container container) throws SQLException {
        TypedValue none = new TypedValue("", new byte[0]);
        TypedValue options = container.options().orElse(none);
        TypedValue spec = container.spec().orElse(none);
        tx.update(
                """
                INSERT OR REPLACE INTO container
                    (namespace, id, image, runtime, options_type, options, spec_type, spec, snapshotter, snapshot_key,
                     sandbox, labels, created, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                namespace.value(),
                container.id(),
                container.image(),
                container.runtime(),
                options.typeUrl(),
                options.value(),
                spec.typeUrl(),
                spec.value(),
                container.snapshotter(),
                container.snapshotKey(),
                container.sandbox(),
                TextMap.write(container.labels()),
                container.created(),
                container.updated());
        tx.update(
                "DELETE FROM container_extension WHERE namespace = ? AND container = ?",
                namespace.value(),
                container.id());
        for (Map.Entry<String, TypedValue> extension : container.extensions().entrySet()) {
            tx.update(
                    "INSERT INTO container_extension (namespace, container, name, type, value) VALUES (?, ?, ?, ?, ?)",
                    namespace.value(),
                    container.id(),
                    extension.getKey(),
                    extension.getValue().typeUrl(),
                    extension.getValue().value());
        }
    }

    private static void validate(Container container) {
        Labels.check(container.labels());
        if (container.extensions().containsKey("")) {
            throw new InvalidArgumentException(
                    "an extension of container \"%s\" has an empty name".formatted(container.id()));
        }
        if (container.runtime().isEmpty()) {
            throw new InvalidArgumentException("container \"%s\" has no runtime name".formatted(container.id()));
        }
        if (container.spec().isEmpty()) {
            throw new InvalidArgumentException("container \"%s\" has no spec".formatted(container.id()));
        }
        if (!container.snapshotKey().isEmpty() && container.snapshotter().isEmpty()) {
            throw new InvalidArgumentException(
                    "container \"%s\" has a snapshot key and no snapshotter".formatted(container.id()));
        }
    }

    private static Container withTimes(Container container, Instant created, Instant updated) {
        return new Container(
                container.id(),
                container.image(),
                container.runtime(),
                container.options(),
                container.spec(),
                container.snapshotter(),
                container.snapshotKey(),
                container.sandbox(),
                container.labels(),
                container.extensions(),
                created,
                updated);
    }

    private static NotFoundException missing(String id) {
        return new NotFoundException("container \"%s\"".formatted(id));
    }
}
