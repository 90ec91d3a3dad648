package dev.longshore.daemon.metadata;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.namespace.NamespaceId;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The leases of all namespaces. */
public final class LeaseStore {

    /** The label that says when a lease or an image ends. */
    static final String EXPIRE = "containerd.io/gc.expire";

    private static final int MAX_ID_LENGTH = 1024;

    private final Database database;
    private final Clock clock;

    LeaseStore(Database database, Clock clock) {
        this.database = database;
        this.clock = clock;
    }

    /** @throws AlreadyExistsException if there is a lease of that id */
    public Lease create(NamespaceId namespace, String id, Map<String, String> labels) {
        // Clients make names up that are no identifiers, and containerd takes them.
        if (id.isEmpty() || id.length() > MAX_ID_LENGTH) {
            throw new InvalidArgumentException(
                    "the id of a lease must have 1 to %d characters, not %d".formatted(MAX_ID_LENGTH, id.length()));
        }
        Lease lease = new Lease(id, clock.instant(), Labels.check(labels));
        return database.write(tx -> {
            Namespaces.ensure(tx, namespace);
            if (tx.update(
                            "INSERT OR IGNORE INTO lease (namespace, id, created, labels) VALUES (?, ?, ?, ?)",
                            namespace.value(),
                            id,
                            lease.created(),
                            TextMap.write(labels))
                    == 0) {
                throw new AlreadyExistsException("lease \"%s\"".formatted(id));
            }
            return lease;
        });
    }

    /** @throws NotFoundException if there is no such lease */
    public void delete(NamespaceId namespace, String id) {
        database.write(tx -> {
            if (tx.update("DELETE FROM lease WHERE namespace = ? AND id = ?", namespace.value(), id) == 0) {
                throw missing(id);
            }
            tx.leavesGarbage();
            return true;
        });
    }

    /** The leases that one of the filters takes, over id and labels. */
    public List<Lease> list(NamespaceId namespace, List<String> filters) {
        Filter filter = Filter.any(filters);
        return database
                .read(tx -> tx.query(
                        "SELECT * FROM lease WHERE namespace = ? ORDER BY id", LeaseStore::lease, namespace.value()))
                .stream()
                .filter(lease -> filter.matches(path -> switch (path.getFirst()) {
                    case "id" -> Fields.set(lease.id());
                    case "labels" -> Fields.entry(lease.labels(), path);
                    default -> Optional.empty();
                }))
                .toList();
    }

    private static Lease lease(ResultSet row) throws SQLException {
        return new Lease(row.getString("id"), Tx.instant(row, "created"), TextMap.read(row.getString("labels")));
    }

    /** Has the lease keep a resource, which need not exist. */
    public void add(NamespaceId namespace, String lease, LeaseResource resource) {
        database.write(tx -> {
            add(tx, namespace, lease, resource);
            return true;
        });
    }

    /** @throws NotFoundException if the lease does not keep it */
    public void remove(NamespaceId namespace, String lease, LeaseResource resource) {
        database.write(tx -> {
            requireLease(tx, namespace, lease);
            tx.update(
                    "DELETE FROM lease_resource WHERE namespace = ? AND lease = ? AND type = ? AND id = ?",
                    namespace.value(),
                    lease,
                    resource.type(),
                    resource.id());
            tx.leavesGarbage();
            return true;
        });
    }

    /** What the lease keeps. */
    public List<LeaseResource> resources(NamespaceId namespace, String lease) {
        return database.read(tx -> {
            requireLease(tx, namespace, lease);
            return tx.query(
                    "SELECT type, id FROM lease_resource WHERE namespace = ? AND lease = ? ORDER BY type, id",
                    row -> new LeaseResource(row.getString(1), row.getString(2)),
                    namespace.value(),
                    lease);
        });
    }

    /** Has the lease of the call, if it has one, keep {@code resource}. */
    static void addFromContext(Tx tx, CallContext context, LeaseResource resource) throws SQLException {
        if (context.lease().isPresent()) {
            add(tx, context.requireNamespace(), context.lease().get(), resource);
        }
    }

    /** Has every lease that keeps {@code from} keep {@code to} instead. */
    static void replace(Tx tx, NamespaceId namespace, LeaseResource from, LeaseResource to) throws SQLException {
        tx.update("""
                INSERT OR IGNORE INTO lease_resource (namespace, lease, type, id)
                SELECT namespace, lease, ?, ? FROM lease_resource WHERE namespace = ? AND type = ? AND id = ?""", to.type(), to.id(), namespace.value(), from.type(), from.id());
        drop(tx, namespace, from);
    }

    /** Has no lease keep {@code resource} any more. */
    static void drop(Tx tx, NamespaceId namespace, LeaseResource resource) throws SQLException {
        tx.update(
                "DELETE FROM lease_resource WHERE namespace = ? AND type = ? AND id = ?",
                namespace.value(),
                resource.type(),
                resource.id());
    }

    private static void add(Tx tx, NamespaceId namespace, String lease, LeaseResource resource) throws SQLException {
        requireLease(tx, namespace, lease);
        tx.update(
                "INSERT OR IGNORE INTO lease_resource (namespace, lease, type, id) VALUES (?, ?, ?, ?)",
                namespace.value(),
                lease,
                resource.type(),
                resource.id());
    }

    private static void requireLease(Tx tx, NamespaceId namespace, String id) throws SQLException {
        if (!tx.exists("SELECT 1 FROM lease WHERE namespace = ? AND id = ?", namespace.value(), id)) {
            throw missing(id);
        }
    }

    private static NotFoundException missing(String id) {
        return new NotFoundException("lease \"%s\"".formatted(id));
    }

    /** When a lease or image with these labels ends; empty for never. */
    static Optional<Instant> expiry(Map<String, String> labels) {
        String text = labels.get(EXPIRE);
        if (text == null) {
            return Optional.empty();
        }
        try {
            return Optional.of(OffsetDateTime.parse(text).toInstant());
        } catch (DateTimeParseException e) {
            return Optional.empty(); // as containerd: a label that is no time keeps the object
        }
    }
}
