package dev.longshore.daemon.metadata;

import dev.longshore.daemon.metadata.SnapshotRow.State;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A snapshotter as clients know it: in namespaces, with all their labels, over a backend that knows neither. The backend's
 * keys are {@code <namespace>/<number>/<key>} and never come again, so what the backend has and no row names is garbage.
 *
 * <p>No transaction is open while the backend is called. {@link #prepare} and {@link #commit} first write down what they are about
 * to make; removal only forgets, and the garbage collector removes.
 */
public final class MetadataSnapshotter implements Snapshotter {

    private static final Logger log = LoggerFactory.getLogger(MetadataSnapshotter.class);

    private static final String REF = "containerd.io/snapshot.ref";
    private static final String BACKEND_PREFIX = "containerd.io/snapshot/";

    /** Of CRI and of transfers, and of those who know a certain snapshotter: where the snapshot's layer is to be had. */
    private static final String LAYER_LABEL = BACKEND_PREFIX + "cri.layer-digest";

    private static final String REMOTE_PREFIX = BACKEND_PREFIX + "remote/";

    /** For finding out how a commit ended that the backend did not answer. */
    private static final Duration SETTLE = Duration.ofSeconds(5);

    private final String name;
    private final Snapshotter backend;
    private final Database database;
    private final Clock clock;
    private final SnapshotRows rows;
    private final BackendAudit audit;

    /** Commits of which it is not known how they ended, and that nobody is at. */
    private final Set<SnapshotRow> open = ConcurrentHashMap.newKeySet();

    MetadataSnapshotter(String name, Snapshotter backend, Database database, Clock clock) {
        this.name = name;
        this.backend = backend;
        this.database = database;
        this.clock = clock;
        this.rows = new SnapshotRows(name);
        this.audit = new BackendAudit(name, backend, database, rows);
        database.read(rows::all).stream()
                .filter(row -> row.state() == State.COMMITTING)
                .forEach(open::add);
    }

    /** What clients call this snapshotter. */
    public String name() {
        return name;
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        NamespaceId namespace = context.requireNamespace();
        settle(context, key);
        SnapshotRow row = database.read(tx -> ready(tx, namespace, key));
        return row.labels().keySet().stream().anyMatch(MetadataSnapshotter::saysWhereItIs)
                ? row.withLabels(reported(context, row), row.updated()).info()
                : row.info();
    }

    private static boolean saysWhereItIs(String label) {
        return label.equals(LAYER_LABEL) || label.startsWith(REMOTE_PREFIX);
    }

    /** A snapshotter that was told where a layer is to be had knows more of the snapshot than it was told. */
    private Map<String, String> reported(CallContext context, SnapshotRow row) {
        Map<String, String> labels = new HashMap<>(row.labels());
        labels.putAll(backendLabels(backend.stat(context, row.backendKey()).labels()));
        return labels;
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        NamespaceId namespace = context.requireNamespace();
        Map<String, String> before = new HashMap<>();
        SnapshotRow updated = database.write(tx -> {
            SnapshotRow row = ready(tx, namespace, info.name());
            before.putAll(row.labels());
            SnapshotRow changed =
                    row.withLabels(Labels.update(row.labels(), info.labels(), fieldPaths), clock.instant());
            rows.put(tx, changed);
            tx.leavesGarbage();
            return changed;
        });
        updateBackend(context, updated, backendLabels(before));
        return updated.info();
    }

    private void updateBackend(CallContext context, SnapshotRow row, Map<String, String> before) {
        Map<String, String> after = backendLabels(row.labels());
        Set<String> keys = new HashSet<>(before.keySet());
        keys.addAll(after.keySet());
        List<String> changed = keys.stream()
                .filter(key -> !before.getOrDefault(key, "").equals(after.getOrDefault(key, "")))
                .map(key -> "labels." + key)
                .toList();
        if (!changed.isEmpty()) {
            backend.update(
                    context,
                    new SnapshotInfo(row.kind(), row.backendKey(), "", after, row.created(), row.updated()),
                    changed);
        }
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return backend.usage(context, backendKey(context, key));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return backend.mounts(context, backendKey(context, key));
    }

    private String backendKey(CallContext context, String key) {
        NamespaceId namespace = context.requireNamespace();
        return database.read(tx -> ready(tx, namespace, key)).backendKey();
    }

    private SnapshotRow ready(Tx tx, NamespaceId namespace, String key) throws SQLException {
        return rows.find(tx, namespace, key)
                .filter(row -> row.state() == State.READY)
                .orElseThrow(() -> rows.missing(key));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return make(context, Kind.ACTIVE, key, parent, labels);
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return make(context, Kind.VIEW, key, parent, labels);
    }

    private List<Mount> make(CallContext context, Kind kind, String key, String parent, Map<String, String> labels) {
        NamespaceId namespace = context.requireNamespace();
        requireKey(key);
        Labels.check(labels);
        settle(context, key);
        settle(context, parent);
        String[] backendParent = {""};
        SnapshotRow row = database.write(tx -> {
            Namespaces.ensure(tx, namespace);
            requireFree(tx, namespace, key);
            if (!parent.isEmpty()) {
                backendParent[0] = requireParent(tx, namespace, parent).backendKey();
            }
            Instant now = clock.instant();
            SnapshotRow made = new SnapshotRow(
                    namespace.value(),
                    key,
                    nextKey(tx, namespace, key),
                    parent,
                    kind,
                    State.MAKING,
                    "",
                    labels,
                    now,
                    now);
            rows.put(tx, made);
            LeaseStore.addFromContext(tx, context, LeaseResource.snapshot(name, key));
            return made;
        });
        List<Mount> mounts;
        try {
            mounts = kind == Kind.VIEW
                    ? backend.view(context, row.backendKey(), backendParent[0], backendLabels(labels))
                    : backend.prepare(context, row.backendKey(), backendParent[0], backendLabels(labels));
        } catch (AlreadyExistsException e) {
            String target = labels.get(REF);
            if (target == null) {
                forget(row);
                throw e;
            }
            throw adopt(context, row, target, backendParent[0], e);
        } catch (RuntimeException e) {
            forget(row); // if the backend made it all the same, it is garbage there
            throw e;
        }
        database.write(tx -> {
            rows.markReady(tx, row);
            return true;
        });
        return mounts;
    }

    private void forget(SnapshotRow row) {
        database.write(tx -> {
            rows.delete(tx, row);
            LeaseStore.drop(tx, new NamespaceId(row.namespace()), LeaseResource.snapshot(name, row.name()));
            tx.leavesGarbage();
            return true;
        });
    }

    /**
     * Takes over the committed snapshot that a remote snapshotter made by itself instead of preparing one.
     *
     * @return what to tell the client: it need not unpack
     */
    private ContainerdException adopt(
            CallContext context,
            SnapshotRow prepared,
            String target,
            String backendParent,
            AlreadyExistsException cause) {
        try {
            SnapshotInfo[] found = new SnapshotInfo[1];
            boolean[] otherParent = {false};
            backend.list(
                    context,
                    List.of("labels.\"" + REF + "\"==\""
                            + target.replace("\\", "\\\\").replace("\"", "\\\"") + "\""),
                    info -> {
                        if (info.parent().equals(backendParent)) {
                            found[0] = info;
                        } else {
                            otherParent[0] = true;
                        }
                    });
            SnapshotInfo remote = found[0];
            if (remote == null) {
                return otherParent[0]
                        ? new InvalidArgumentException("snapshotter %s has %s with another parent than \"%s\""
                                .formatted(name, target, prepared.parent()))
                        : cause;
            }
            NamespaceId namespace = new NamespaceId(prepared.namespace());
            database.write(tx -> {
                if (rows.find(tx, namespace, target).isEmpty()) {
                    Instant now = clock.instant();
                    Map<String, String> labels = new HashMap<>(prepared.labels());
                    labels.putAll(remote.labels());
                    rows.put(
                            tx,
                            new SnapshotRow(
                                    namespace.value(),
                                    target,
                                    remote.name(),
                                    prepared.parent(),
                                    remote.kind(),
                                    State.READY,
                                    "",
                                    labels,
                                    now,
                                    now));
                }
                LeaseStore.addFromContext(tx, context, LeaseResource.snapshot(name, target));
                return true;
            });
            return new AlreadyExistsException("target snapshot \"%s\" of %s".formatted(target, name), cause);
        } finally {
            forget(prepared);
        }
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        NamespaceId namespace = context.requireNamespace();
        requireKey(name);
        Labels.check(labels);
        settle(context, key);
        settle(context, name);
        SnapshotRow[] source = new SnapshotRow[1];
        String[] backendParent = {""};
        SnapshotRow row = database.write(tx -> {
            SnapshotRow active = rows.require(tx, namespace, key);
            if (active.kind() != Kind.ACTIVE) {
                throw new FailedPreconditionException(
                        "snapshot \"%s\" of %s is not active and cannot be committed".formatted(key, this.name));
            }
            requireFree(tx, namespace, name);
            if (parent.isPresent()) {
                if (!active.parent().isEmpty() && !active.parent().equals(parent.get())) {
                    throw new FailedPreconditionException(
                            "snapshot \"%s\" of %s was prepared on \"%s\" and cannot be committed on \"%s\""
                                    .formatted(key, this.name, active.parent(), parent.get()));
                }
                backendParent[0] = requireParent(tx, namespace, parent.get()).backendKey();
            }
            source[0] = active;
            Instant now = clock.instant();
            SnapshotRow committed = new SnapshotRow(
                    namespace.value(),
                    name,
                    nextKey(tx, namespace, name),
                    parent.orElse(active.parent()),
                    Kind.COMMITTED,
                    State.COMMITTING,
                    key,
                    labels,
                    now,
                    now);
            rows.put(tx, committed);
            LeaseStore.addFromContext(tx, context, LeaseResource.snapshot(this.name, name));
            return committed;
        });
        try {
            backend.commit(
                    context,
                    row.backendKey(),
                    source[0].backendKey(),
                    Optional.of(backendParent[0]).filter(text -> !text.isEmpty()),
                    backendLabels(labels));
        } catch (NotFoundException
                | AlreadyExistsException
                | InvalidArgumentException
                | FailedPreconditionException
                | UnimplementedException e) {
            revert(row);
            throw e;
        } catch (RuntimeException e) {
            // It may have happened all the same: ask, and whoever comes next asks again while nobody answers.
            open.add(row);
            if (settle(row)) {
                return;
            }
            throw e;
        }
        finish(row);
    }

    /** Whether {@code row} still stands for a commit under way; another thread may have found out how it ended. */
    private boolean isOpen(Tx tx, SnapshotRow row) throws SQLException {
        return rows.find(tx, new NamespaceId(row.namespace()), row.name())
                .filter(found ->
                        found.state() == State.COMMITTING && found.backendKey().equals(row.backendKey()))
                .isPresent();
    }

    private void finish(SnapshotRow committed) {
        NamespaceId namespace = new NamespaceId(committed.namespace());
        database.write(tx -> {
            if (!isOpen(tx, committed)) {
                return false;
            }
            Optional<SnapshotRow> source = rows.find(tx, namespace, committed.source());
            if (source.isPresent()) {
                rows.delete(tx, source.get());
            }
            rows.markReady(tx, committed);
            LeaseStore.replace(
                    tx,
                    namespace,
                    LeaseResource.snapshot(name, committed.source()),
                    LeaseResource.snapshot(name, committed.name()));
            return true;
        });
    }

    private void revert(SnapshotRow committed) {
        database.write(tx -> {
            if (!isOpen(tx, committed)) {
                return false;
            }
            rows.delete(tx, committed);
            LeaseStore.drop(tx, new NamespaceId(committed.namespace()), LeaseResource.snapshot(name, committed.name()));
            return true;
        });
    }

    /** Finds out how commits ended that a crash or a lost connection cut short. Asks the backend. */
    public void settle() {
        for (SnapshotRow row : open) {
            try {
                boolean _ = settle(row);
            } catch (ContainerdException e) {
                log.atWarn()
                        .addKeyValue("snapshotter", name)
                        .addKeyValue("key", row.source())
                        .addKeyValue("err", e.getMessage())
                        .log("cannot find out yet whether a snapshot was committed");
                return; // the others would fare the same
            }
        }
    }

    /** Before something that {@code key} may stand in the way of, or would be changed by. */
    private void settle(CallContext context, String key) {
        if (open.isEmpty()) {
            return;
        }
        NamespaceId namespace = context.requireNamespace();
        for (SnapshotRow row : open) {
            boolean concerned = row.name().equals(key) || row.source().equals(key);
            if (concerned && row.namespace().equals(namespace.value())) {
                boolean _ = settle(row);
            }
        }
    }

    /** Whether the commit happened; a backend that says no has not done it. */
    private boolean settle(SnapshotRow row) {
        CallContext context = CallContext.of(row.namespace(), SETTLE);
        boolean happened;
        try {
            backend.stat(context, row.backendKey());
            happened = true;
        } catch (NotFoundException e) {
            happened = false;
        }
        if (happened) {
            finish(row);
        } else {
            revert(row);
        }
        open.remove(row);
        log.atInfo()
                .addKeyValue("snapshotter", name)
                .addKeyValue("key", row.source())
                .addKeyValue("committed", happened)
                .log("found out how a commit ended that was cut short");
        return happened;
    }

    @Override
    public void remove(CallContext context, String key) {
        NamespaceId namespace = context.requireNamespace();
        settle(context, key);
        database.write(tx -> {
            SnapshotRow row = rows.require(tx, namespace, key);
            if (rows.hasChildren(tx, namespace, key)) {
                throw new FailedPreconditionException(
                        "snapshot \"%s\" of %s has children: remove those first".formatted(key, name));
            }
            rows.delete(tx, row);
            LeaseStore.drop(tx, namespace, LeaseResource.snapshot(name, key));
            tx.leavesGarbage();
            return true;
        });
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        NamespaceId namespace = context.requireNamespace();
        Filter filter = Filter.any(filters);
        database.read(tx -> rows.ready(tx, namespace)).stream()
                .map(SnapshotRow::info)
                .filter(info -> filter.matches(Fields.of(info)))
                .forEach(sink);
    }

    @Override
    public void cleanup(CallContext context) {
        backend.cleanup(context);
    }

    /**
     * Removes what the backend has and no row names, children first. To be called for one run at a time.
     *
     * @return how many snapshots were removed
     */
    public int removeGarbage(CallContext context) {
        return audit.removeGarbage(context);
    }

    /** What clients have of this snapshotter, in all namespaces. */
    public SnapshotNames held() {
        return audit.held();
    }

    /** What clients have of this snapshotter and the backend no longer does. Asks the backend. */
    public SnapshotNames lost(CallContext context) {
        return audit.lost(context);
    }

    private void requireFree(Tx tx, NamespaceId namespace, String key) throws SQLException {
        if (rows.find(tx, namespace, key).isPresent()) {
            throw new AlreadyExistsException("snapshot \"%s\" of %s".formatted(key, name));
        }
    }

    private SnapshotRow requireParent(Tx tx, NamespaceId namespace, String parent) throws SQLException {
        SnapshotRow row = rows.find(tx, namespace, parent)
                .filter(found -> found.state() == State.READY)
                .orElseThrow(() -> new NotFoundException("parent snapshot \"%s\" of %s".formatted(parent, name)));
        if (row.kind() != Kind.COMMITTED) {
            throw new InvalidArgumentException("parent snapshot \"%s\" of %s is not committed".formatted(parent, name));
        }
        return row;
    }

    private static void requireKey(String key) {
        if (key.isEmpty()) {
            throw new InvalidArgumentException("the key of a snapshot must not be empty");
        }
    }

    private String nextKey(Tx tx, NamespaceId namespace, String key) throws SQLException {
        return namespace + "/" + tx.next("snapshot/" + name + "/" + namespace) + "/" + key;
    }

    /** What of a snapshot's labels concerns its backend. */
    private static Map<String, String> backendLabels(Map<String, String> labels) {
        return labels.entrySet().stream()
                .filter(label -> label.getKey().equals(REF) || label.getKey().startsWith(BACKEND_PREFIX))
                .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    @Override
    public void close() {
        backend.close();
    }
}
