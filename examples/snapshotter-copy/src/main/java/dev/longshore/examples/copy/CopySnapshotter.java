package dev.longshore.examples.copy;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Keeps every snapshot as a folder with all of its files, copied from its parent's. Simple, and works on any file system. */
final class CopySnapshotter implements Snapshotter {

    private final Path root;
    private final Clock clock;

    /** By key or name; guarded by this object, as the two below. Never held while files are copied. */
    private final Map<String, SnapshotFile> snapshots = new HashMap<>();

    /** Keys of snapshots that are being copied, and how many copies are made of a parent. */
    private final Set<String> beingMade = new HashSet<>();

    private final Map<String, Integer> beingCopied = new HashMap<>();

    private CopySnapshotter(Path root, Clock clock) {
        this.root = root;
        this.clock = clock;
    }

    /** Opens what is in {@code root}. What a crash left half made is removed. */
    static CopySnapshotter open(Path root, Clock clock) throws IOException {
        CopySnapshotter snapshotter = new CopySnapshotter(root, clock);
        Files.createDirectories(root);
        try (Stream<Path> folders = Files.list(root)) {
            for (Path folder : (Iterable<Path>) folders::iterator) {
                if (SnapshotFile.exists(folder)) {
                    SnapshotFile snapshot = SnapshotFile.read(folder);
                    snapshotter.snapshots.put(snapshot.info().name(), snapshot);
                } else {
                    Trees.remove(folder, Deadline.after(Duration.ofMinutes(10)));
                }
            }
        }
        return snapshotter;
    }

    private synchronized SnapshotFile require(String key) {
        SnapshotFile snapshot = snapshots.get(key);
        if (snapshot == null) {
            throw new NotFoundException("snapshot \"%s\"".formatted(key));
        }
        return snapshot;
    }

    /** What the file system says no to. */
    private static <T> T io(IoCall<T> call) {
        try {
            return call.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // is a full disk RESOURCE_EXHAUSTED, else UNKNOWN, on the wire
        }
    }

    @FunctionalInterface
    private interface IoCall<T> {
        T run() throws IOException;
    }

    private SnapshotFile write(SnapshotFile snapshot) {
        return io(() -> {
            snapshot.write();
            return snapshot;
        });
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return require(key).info();
    }

    @Override
    public synchronized SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        SnapshotFile now = require(info.name());
        SnapshotInfo old = now.info();
        Map<String, String> labels = Labels.update(old.labels(), info.labels(), fieldPaths);
        SnapshotInfo updated =
                new SnapshotInfo(old.kind(), old.name(), old.parent(), labels, old.created(), clock.instant());
        snapshots.put(old.name(), write(new SnapshotFile(now.folder(), updated)));
        return updated;
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return io(() -> Trees.usage(require(key).files()));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        SnapshotFile snapshot = require(key);
        return switch (snapshot.info().kind()) {
            case COMMITTED -> throw new FailedPreconditionException("snapshot \"%s\" is committed".formatted(key));
            case VIEW -> List.of(new Mount("bind", snapshot.files().toString(), "", List.of("rbind", "ro")));
            case ACTIVE -> List.of(new Mount("bind", snapshot.files().toString(), "", List.of("rbind", "rw")));
        };
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
        if (key.isEmpty()) {
            throw new InvalidArgumentException("the key of a snapshot must not be empty");
        }
        Optional<SnapshotFile> from = begin(key, parent);
        try {
            Path folder = io(() -> copy(from, context.deadline()));
            Instant now = clock.instant();
            SnapshotFile made = write(
                    new SnapshotFile(folder, new SnapshotInfo(kind, key, parent, Labels.check(labels), now, now)));
            synchronized (this) {
                snapshots.put(key, made);
            }
            return mounts(context, key);
        } finally {
            end(key, parent);
        }
    }

    /** Takes the key, and keeps the parent from being removed. */
    private synchronized Optional<SnapshotFile> begin(String key, String parent) {
        Optional<SnapshotFile> from = parent.isEmpty() ? Optional.empty() : Optional.of(require(parent));
        if (from.isPresent() && from.get().info().kind() != Kind.COMMITTED) {
            throw new InvalidArgumentException("parent \"%s\" is not committed".formatted(parent));
        }
        if (snapshots.containsKey(key) || !beingMade.add(key)) {
            throw new AlreadyExistsException("snapshot \"%s\"".formatted(key));
        }
        var _ = beingCopied.merge(parent, 1, Integer::sum);
        return from;
    }

    private synchronized void end(String key, String parent) {
        beingMade.remove(key);
        var _ = beingCopied.computeIfPresent(parent, (_, copies) -> copies == 1 ? null : copies - 1);
    }

    private Path copy(Optional<SnapshotFile> from, Deadline deadline) throws IOException {
        Path folder = Files.createTempDirectory(root, "");
        try {
            Path files = Files.createDirectory(folder.resolve("fs"));
            FileCalls.chmod(files, 0755);
            if (from.isPresent()) {
                Trees.copy(from.get().files(), files, deadline);
            }
            return folder;
        } catch (IOException | RuntimeException e) {
            Trees.remove(folder, Deadline.after(Duration.ofMinutes(1)));
            throw e;
        }
    }

    @Override
    public synchronized void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        SnapshotFile active = require(key);
        if (snapshots.containsKey(name) || beingMade.contains(name)) {
            throw new AlreadyExistsException("snapshot \"%s\"".formatted(name));
        }
        if (active.info().kind() != Kind.ACTIVE) {
            throw new FailedPreconditionException("snapshot \"%s\" is not active".formatted(key));
        }
        if (parent.isPresent() && !parent.get().equals(active.info().parent())) {
            throw new InvalidArgumentException("snapshot \"%s\" was prepared on \"%s\", not on \"%s\""
                    .formatted(key, active.info().parent(), parent.get()));
        }
        Instant now = clock.instant();
        SnapshotInfo committed =
                new SnapshotInfo(Kind.COMMITTED, name, active.info().parent(), Labels.check(labels), now, now);
        snapshots.put(name, write(new SnapshotFile(active.folder(), committed)));
        snapshots.remove(key);
    }

    @Override
    public void remove(CallContext context, String key) {
        SnapshotFile removed = forget(key);
        io(() -> {
            Trees.remove(removed.folder(), context.deadline());
            return removed;
        });
    }

    private synchronized SnapshotFile forget(String key) {
        SnapshotFile snapshot = require(key);
        if (beingCopied.containsKey(key)
                || snapshots.values().stream()
                        .anyMatch(other -> other.info().parent().equals(key))) {
            throw new FailedPreconditionException("snapshot \"%s\" has children: remove them first".formatted(key));
        }
        io(() -> {
            snapshot.delete();
            return snapshot;
        });
        snapshots.remove(key);
        return snapshot;
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        Filter filter = Filter.any(filters);
        List<SnapshotFile> all;
        synchronized (this) {
            all = List.copyOf(snapshots.values());
        }
        all.stream()
                .map(SnapshotFile::info)
                .filter(info -> filter.matches(Fields.of(info)))
                .forEach(sink);
    }

    @Override
    public void cleanup(CallContext context) {
        throw new UnimplementedException("snapshots are removed at once");
    }

    @Override
    public void close() {}
}
