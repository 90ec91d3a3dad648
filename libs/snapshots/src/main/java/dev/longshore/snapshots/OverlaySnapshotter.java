package dev.longshore.snapshots;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.mount.IdMap;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps snapshots as folders that overlayfs stacks. Snapshotters that show layers in other ways build on it: what lies below an
 * overlay is whatever they have mounted on the folder {@link Stored#files} of a committed snapshot.
 *
 * <p><b>Order of writing.</b> {@code prepare}: make the folders, sync them, commit the metadata, answer. {@code commit} and
 * {@code update}: commit the metadata, answer. {@code remove}: commit the metadata, answer; the folder goes at {@code
 * cleanup}. So at any moment each snapshot in the metadata has its folder, and a folder without one is rubbish that a crash or
 * a removal left. Ids are never used again, so rubbish is never in the way.
 *
 * <p>No lock is held while files are walked or made.
 */
public final class OverlaySnapshotter implements Snapshotter {

    private static final Logger log = LoggerFactory.getLogger(OverlaySnapshotter.class);

    static final String UPPERDIR_LABEL = "containerd.io/snapshot/overlay.upperdir";
    static final String UID_MAPPING_LABEL = "containerd.io/snapshot/uidmapping";
    static final String GID_MAPPING_LABEL = "containerd.io/snapshot/gidmapping";

    /** Set on a layer that is unpacked before its parent is there, and committed on it later. */
    static final String PARENT_CHAIN_ID_LABEL = "containerd.io/snapshot/parent-chain-id";

    /** Scans of a snapshot in use that somebody moves folders in, before the caller is told to try again. */
    private static final int MAX_SCANS = 3;

    private static final String LABELS_PATH = "labels.";

    private final OverlayLayout layout;
    private final OverlayOptions options;
    private final Clock clock;
    private final Attachments attachments;
    private final FileChannel lock;
    private final MetaStore store;
    private final AtomicLong lastId;

    /** Ids of folders that are being made, whose metadata is yet to come. */
    private final Set<Long> beingMade = ConcurrentHashMap.newKeySet();

    private final ReentrantLock cleaning = new ReentrantLock();

    private OverlaySnapshotter(
            OverlayLayout layout,
            OverlayOptions options,
            Clock clock,
            Attachments attachments,
            FileChannel lock,
            MetaStore store)
            throws IOException {
        this.layout = layout;
        this.options = options;
        this.clock = clock;
        this.attachments = attachments;
        this.lock = lock;
        this.store = store;
        this.lastId = new AtomicLong(Math.max(store.highestId(), highestFolder(layout)));
    }

    /**
     * A snapshot and where its files are.
     *
     * @param id never used again for another
     * @param files its upper folder while it is active, a lower folder when it is committed
     */
    public record Stored(long id, SnapshotInfo info, Path files) {}

    /** What another snapshotter has put on the folders of snapshots. */
    @FunctionalInterface
    public interface Attachments {

        /** Nothing. */
        Attachments NONE = _ -> {};

        /**
         * Takes it off the folder of a snapshot that is gone and is about to be removed; does nothing if there is none.
         *
         * @throws IOException if it is still needed: the folder stays until the next {@link #cleanup}
         */
        void detach(Path files) throws IOException;
    }

    /** As {@link #open(Path, OverlayOptions, Clock, Attachments)}, for snapshots that are files and nothing else. */
    public static OverlaySnapshotter open(Path root, OverlayOptions options, Clock clock) throws IOException {
        return open(root, options, clock, Attachments.NONE);
    }

    /**
     * Opens the snapshots under {@code root}, which is made if it is not there.
     *
     * @param root absolute, without characters that overlayfs' options give a meaning
     * @throws FailedPreconditionException if another process has it open, or its file system is not fit for overlayfs
     */
    public static OverlaySnapshotter open(Path root, OverlayOptions options, Clock clock, Attachments attachments)
            throws IOException {
        OverlayLayout layout = new OverlayLayout(root);
        makeFolder(root, 0700);
        FileChannel lock = lock(layout);
        try {
            makeFolder(layout.snapshots(), 0700);
            makeFolder(layout.empty(), 0755);
            OverlayFeatures.check(root);
            MetaStore store = MetaStore.open(layout.metadata());
            try {
                Folder.sync(root);
                return new OverlaySnapshotter(layout, options, clock, attachments, lock, store);
            } catch (IOException | RuntimeException e) {
                store.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    private static void makeFolder(Path folder, int permissions) throws IOException {
        if (!Files.isDirectory(folder)) {
            Files.createDirectories(folder);
            FileCalls.chmod(folder, permissions);
        }
    }

    private static FileChannel lock(OverlayLayout layout) throws IOException {
        FileChannel channel = FileChannel.open(layout.lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileLock held = channel.tryLock();
            if (held != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            // The same process: the same answer.
        }
        channel.close();
        throw new FailedPreconditionException(
                "%s is in use by another process: stop that one first, or choose another root"
                        .formatted(layout.root()));
    }

    private static long highestFolder(OverlayLayout layout) throws IOException {
        return folders(layout).keySet().stream()
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
    }

    /** The folders of snapshots by their ids. */
    private static Map<Long, Path> folders(OverlayLayout layout) throws IOException {
        try (Stream<Path> folders = Files.list(layout.snapshots())) {
            return folders.filter(folder -> folder.getFileName().toString().matches("[1-9][0-9]{0,17}"))
                    .collect(Collectors.toMap(
                            folder -> Long.parseLong(folder.getFileName().toString()), folder -> folder));
        }
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return shown(stored(key));
    }

    /** The information with the label that is not stored. */
    private SnapshotInfo shown(Stored stored) {
        if (!options.upperdirLabel()) {
            return stored.info();
        }
        Map<String, String> labels = new HashMap<>(stored.info().labels());
        labels.put(UPPERDIR_LABEL, stored.files().toString());
        return withLabels(stored.info(), labels);
    }

    private static SnapshotInfo withLabels(SnapshotInfo info, Map<String, String> labels) {
        return new SnapshotInfo(info.kind(), info.name(), info.parent(), labels, info.created(), info.updated());
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        Map<String, String> given = stored(info.labels());
        for (String path : fieldPaths) {
            if (!path.equals("labels") && !path.startsWith(LABELS_PATH)) {
                throw new InvalidArgumentException("cannot update field %s of snapshot %s: only labels can be changed"
                        .formatted(path, info.name()));
            }
        }
        return shown(stored(store.relabel(
                info.name(),
                current -> {
                    Map<String, String> labels = new HashMap<>(current);
                    for (String path : fieldPaths.isEmpty() ? List.of("labels") : fieldPaths) {
                        if (path.equals("labels")) {
                            labels = new HashMap<>(given);
                        } else {
                            String label = path.substring(LABELS_PATH.length());
                            labels.put(label, given.getOrDefault(label, ""));
                        }
                    }
                    return Labels.check(labels);
                },
                now())));
    }

    private static Map<String, String> stored(Map<String, String> labels) {
        Map<String, String> stored = new HashMap<>(Labels.check(labels));
        stored.remove(UPPERDIR_LABEL);
        return stored;
    }

    @Override
    public Usage usage(CallContext context, String key) {
        MetaStore.Row row = store.get(key);
        return row.info().kind() == Kind.ACTIVE ? scan(row.id(), key) : row.usage();
    }

    private Usage scan(long id, String key) {
        for (int attempt = 1; ; attempt++) {
            try {
                return Trees.usage(layout.files(id));
            } catch (Trees.ChangedException e) {
                if (attempt == MAX_SCANS) {
                    throw new AbortedException("measuring snapshot %s: %s".formatted(key, e.getMessage()), e);
                }
            } catch (IOException e) {
                throw classify("measuring snapshot " + key, e);
            }
        }
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        MetaStore.Chain chain = store.chain(key);
        if (chain.row().info().kind() == Kind.COMMITTED) {
            throw new FailedPreconditionException(
                    "snapshot %s is committed and has no mounts: make a view of it".formatted(key));
        }
        return mounts(chain.row().id(), chain.row().info(), chain.parents());
    }

    private List<Mount> mounts(long id, SnapshotInfo info, List<Long> parents) {
        List<String> mount = new ArrayList<>();
        if (options.mapIds()) {
            Optional.ofNullable(info.labels().get(UID_MAPPING_LABEL)).ifPresent(map -> mount.add("uidmap=" + map));
            Optional.ofNullable(info.labels().get(GID_MAPPING_LABEL)).ifPresent(map -> mount.add("gidmap=" + map));
        }
        boolean active = info.kind() == Kind.ACTIVE;
        boolean rebase = active && parents.isEmpty() && info.labels().containsKey(PARENT_CHAIN_ID_LABEL);
        if (parents.isEmpty() && !rebase) {
            return List.of(bind(layout.files(id), active ? "rw" : "ro", mount));
        }
        if (!active && parents.size() == 1) {
            return List.of(bind(layout.files(parents.getFirst()), "ro", mount));
        }
        if (active) {
            mount.add("workdir=" + layout.work(id));
            mount.add("upperdir=" + layout.files(id));
        }
        // A differ keeps whiteouts only when it sees an overlay; one needs some lower folder to be mountable.
        mount.add("lowerdir="
                + (rebase
                        ? layout.empty().toString()
                        : parents.stream()
                                .map(parent -> layout.files(parent).toString())
                                .collect(Collectors.joining(":"))));
        mount.addAll(options.mountOptions());
        return List.of(new Mount("overlay", "overlay", mount));
    }

    private static Mount bind(Path source, String access, List<String> options) {
        List<String> all = new ArrayList<>(options);
        all.add(access);
        all.add("rbind");
        return new Mount("bind", source.toString(), all);
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return create(context, Kind.ACTIVE, key, parent, labels);
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return create(context, Kind.VIEW, key, parent, labels);
    }

    private List<Mount> create(CallContext context, Kind kind, String key, String parent, Map<String, String> labels) {
        requireName("key", key);
        Instant now = now();
        SnapshotInfo info = new SnapshotInfo(kind, key, parent, stored(labels), now, now);
        List<Long> parents = parents(key, parent);
        if (store.find(key).isPresent()) {
            throw new AlreadyExistsException("snapshot " + key);
        }
        long id = lastId.incrementAndGet();
        beingMade.add(id);
        try {
            makeFolders(id, info, parents);
            context.deadline().check("making snapshot " + key);
            store.create(id, info);
        } catch (IOException | RuntimeException e) {
            removeFolder(id);
            throw e instanceof RuntimeException runtime ? runtime : classify("making snapshot " + key, (IOException) e);
        } finally {
            beingMade.remove(id);
        }
        log.atDebug().addKeyValue("key", key).addKeyValue("id", id).log("snapshot made");
        return mounts(id, info, parents);
    }

    /**
     * A snapshot by its key or name.
     *
     * @throws dev.longshore.sdk.errors.NotFoundException if there is none
     */
    public Stored stored(String key) {
        return stored(store.get(key));
    }

    private Stored stored(MetaStore.Row row) {
        return new Stored(row.id(), row.info(), layout.files(row.id()));
    }

    /**
     * The ids of a snapshot and of all below it, the nearest first.
     *
     * @throws dev.longshore.sdk.errors.NotFoundException if there is none of that key or name
     */
    public List<Long> chain(String key) {
        MetaStore.Chain chain = store.chain(key);
        List<Long> ids = new ArrayList<>(List.of(chain.row().id()));
        ids.addAll(chain.parents());
        return ids;
    }

    /** Every snapshot, in the order in which they were made. */
    public void each(Consumer<Stored> sink) {
        for (List<MetaStore.Row> page = store.page(0);
                !page.isEmpty();
                page = store.page(page.getLast().id())) {
            page.forEach(row -> sink.accept(stored(row)));
        }
    }

    /** What will be below a snapshot on {@code parent}, the nearest first. */
    private List<Long> parents(String key, String parent) {
        if (parent.isEmpty()) {
            return List.of();
        }
        MetaStore.Chain chain = store.chain(parent);
        if (chain.row().info().kind() != Kind.COMMITTED) {
            throw new InvalidArgumentException("parent %s of snapshot %s is not a committed snapshot but %s"
                    .formatted(parent, key, chain.row().info().kind()));
        }
        List<Long> parents = new ArrayList<>(List.of(chain.row().id()));
        parents.addAll(chain.parents());
        return parents;
    }

    private void makeFolders(long id, SnapshotInfo info, List<Long> parents) throws IOException {
        Path folder = layout.snapshot(id);
        Path files = layout.files(id);
        Files.createDirectory(folder);
        FileCalls.chmod(folder, 0700);
        Files.createDirectory(files);
        int permissions = 0755;
        if (!parents.isEmpty()) {
            // The root of the merged tree is the upper folder.
            FileStat below = FileStat.of(layout.files(parents.getFirst()));
            permissions = below.permissions();
            FileCalls.lchown(files, below.uid(), below.gid());
        }
        mapOwner(files, info.labels());
        FileCalls.chmod(files, permissions);
        if (info.kind() == Kind.ACTIVE) {
            Files.createDirectory(layout.work(id));
            FileCalls.chmod(layout.work(id), 0711);
        }
        Folder.sync(folder);
        Folder.sync(layout.snapshots());
    }

    private static void mapOwner(Path files, Map<String, String> labels) throws IOException {
        String uids = labels.getOrDefault(UID_MAPPING_LABEL, "");
        String gids = labels.getOrDefault(GID_MAPPING_LABEL, "");
        if (!uids.isEmpty() || !gids.isEmpty()) {
            FileCalls.lchown(files, (int) IdMap.parse(uids).toHost(0), (int)
                    IdMap.parse(gids).toHost(0));
        }
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        MetaStore.Row row = store.active(key);
        commit(context, name, key, parent, labels, scan(row.id(), key));
    }

    /** Commits without a look at the files: what they take is known, or is not in the folder. */
    public void commit(
            CallContext context,
            String name,
            String key,
            Optional<String> parent,
            Map<String, String> labels,
            Usage usage) {
        requireName("name", name);
        context.deadline().check("committing snapshot " + key);
        store.commit(name, key, parent.filter(given -> !given.isEmpty()), stored(labels), usage, now());
        log.atDebug().addKeyValue("key", key).addKeyValue("snapshot", name).log("snapshot committed");
    }

    @Override
    public void remove(CallContext context, String key) {
        long id = store.remove(key);
        log.atDebug().addKeyValue("key", key).addKeyValue("id", id).log("snapshot removed");
        if (options.removeAtOnce()) {
            removeFolder(id);
        }
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        Filter filter = Filter.any(filters);
        each(stored -> {
            SnapshotInfo info = shown(stored);
            if (filter.matches(Fields.of(info))) {
                sink.accept(info);
            }
        });
    }

    @Override
    public void cleanup(CallContext context) {
        cleaning.lock();
        try {
            for (long id : rubbish()) {
                context.deadline().check("removing what snapshots left");
                removeFolder(id);
            }
        } catch (IOException e) {
            throw classify("looking for what snapshots left", e);
        } finally {
            cleaning.unlock();
        }
    }

    /** A folder is looked for first, then who makes one, then the metadata: none that is in use slips through. */
    private Set<Long> rubbish() throws IOException {
        Set<Long> rubbish = new HashSet<>(folders(layout).keySet());
        rubbish.removeAll(beingMade);
        rubbish.removeAll(store.ids());
        return rubbish;
    }

    /** What cannot be removed is left for the next {@link #cleanup}. */
    private void removeFolder(long id) {
        try {
            attachments.detach(layout.files(id));
            Trees.remove(layout.snapshot(id));
        } catch (IOException e) {
            log.atWarn().addKeyValue("id", id).setCause(e).log("cannot remove the folder of a snapshot");
        }
    }

    private static void requireName(String what, String name) {
        if (name.isEmpty()) {
            throw new InvalidArgumentException("a snapshot needs a " + what);
        }
    }

    private static RuntimeException classify(String what, IOException e) {
        boolean full = e instanceof ErrnoException errno
                ? errno.errno() == Errno.ENOSPC
                : e instanceof FileSystemException file
                        && !(e instanceof FileAlreadyExistsException)
                        && "No space left on device".equals(file.getReason());
        String message = what + ": " + e.getMessage();
        return full
                ? new ResourceExhaustedException(message + ": free some disk space", e)
                : new InternalException(message, e);
    }

    private Instant now() {
        return clock.instant();
    }

    @Override
    public void close() {
        store.close();
        try {
            lock.close();
        } catch (IOException e) {
            throw classify("closing " + layout.lock(), e);
        }
    }
}
