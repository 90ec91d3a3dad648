package dev.longshore.daemon.metadata;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * A backend without files, for the faults that a real one cannot be made to show: it fails before or after it has done what
 * it was asked.
 */
public class MapSnapshotter implements Snapshotter {

    final ConcurrentMap<String, SnapshotInfo> snapshots = new ConcurrentHashMap<>();

    private final AtomicReference<Optional<Fault>> fault = new AtomicReference<>(Optional.empty());

    /** What goes wrong with the next call of that name. */
    private record Fault(
            String call, boolean afterwards, RuntimeException error, boolean stays, Optional<Runnable> action) {

        Fault(String call, boolean afterwards, RuntimeException error, boolean stays) {
            this(call, afterwards, error, stays, Optional.empty());
        }

        RuntimeException happen() {
            action.ifPresent(Runnable::run);
            return error;
        }
    }

    /** The next {@code call} does nothing and fails. */
    void failBefore(String call, RuntimeException error) {
        fault.set(Optional.of(new Fault(call, false, error, false)));
    }

    /** The next {@code call} does what it is asked and fails all the same: the answer was lost. */
    void failAfter(String call, RuntimeException error) {
        fault.set(Optional.of(new Fault(call, true, error, false)));
    }

    /** Every call fails, until {@link #recover}; {@code call} does what it is asked before. */
    void dieAfter(String call, RuntimeException error) {
        fault.set(Optional.of(new Fault(call, true, error, true)));
    }

    void recover() {
        fault.set(Optional.empty());
    }

    /** {@code action} happens when the next {@code call} has done what it was asked, or before it does if it is to. */
    void during(String call, boolean afterwards, Runnable action) {
        fault.set(Optional.of(new Fault(
                call, afterwards, new IllegalStateException("the process ended"), false, Optional.of(action))));
    }

    private void before(String call) {
        Optional<Fault> next = fault.get();
        if (next.isPresent() && !next.get().afterwards() && next.get().call().equals(call)) {
            recover();
            throw next.get().happen();
        }
        if (next.isPresent() && next.get().call().isEmpty()) {
            throw next.get().error();
        }
    }

    private void after(String call) {
        Optional<Fault> next = fault.get();
        if (next.isPresent() && next.get().afterwards() && next.get().call().equals(call)) {
            fault.set(
                    next.get().stays()
                            ? Optional.of(new Fault("", false, next.get().error(), true))
                            : Optional.empty());
            throw next.get().happen();
        }
    }

    private SnapshotInfo require(String key) {
        SnapshotInfo info = snapshots.get(key);
        if (info == null) {
            throw new NotFoundException("snapshot " + key);
        }
        return info;
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        before("stat");
        return require(key);
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        before("update");
        SnapshotInfo current = require(info.name());
        SnapshotInfo updated = new SnapshotInfo(
                current.kind(),
                current.name(),
                current.parent(),
                Labels.update(current.labels(), info.labels(), fieldPaths),
                current.created(),
                Instant.now());
        snapshots.put(info.name(), updated);
        return updated;
    }

    @Override
    public Usage usage(CallContext context, String key) {
        before("usage");
        return new Usage(1, require(key).name().length());
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        before("mounts");
        return List.of(new Mount("bind", "/" + require(key).name(), List.of("rbind")));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return make("prepare", Kind.ACTIVE, key, parent, labels);
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return make("view", Kind.VIEW, key, parent, labels);
    }

    private List<Mount> make(String call, Kind kind, String key, String parent, Map<String, String> labels) {
        before(call);
        put(kind, key, parent, labels);
        after(call);
        return List.of(new Mount("bind", "/" + key, List.of("rbind")));
    }

    void put(Kind kind, String key, String parent, Map<String, String> labels) {
        if (!parent.isEmpty() && require(parent).kind() != Kind.COMMITTED) {
            throw new FailedPreconditionException("parent " + parent + " is not committed");
        }
        Instant now = Instant.now();
        if (snapshots.putIfAbsent(key, new SnapshotInfo(kind, key, parent, labels, now, now)) != null) {
            throw new AlreadyExistsException("snapshot " + key);
        }
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        before("commit");
        SnapshotInfo active = require(key);
        if (active.kind() != Kind.ACTIVE) {
            throw new FailedPreconditionException("snapshot " + key + " is not active");
        }
        put(Kind.COMMITTED, name, parent.orElse(active.parent()), labels);
        snapshots.remove(key);
        after("commit");
    }

    @Override
    public void remove(CallContext context, String key) {
        before("remove");
        require(key);
        if (snapshots.values().stream().anyMatch(info -> info.parent().equals(key))) {
            throw new FailedPreconditionException("snapshot " + key + " has children");
        }
        snapshots.remove(key);
        after("remove");
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        before("list");
        Filter filter = Filter.any(filters);
        snapshots.values().stream()
                .filter(info -> filter.matches(Fields.of(info)))
                .forEach(sink);
    }

    @Override
    public void cleanup(CallContext context) {
        throw new UnimplementedException("removes at once");
    }

    @Override
    public void close() {}
}
