package dev.longshore.stargz;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.snapshots.OverlaySnapshotter;
import dev.longshore.snapshots.OverlaySnapshotter.Stored;
import dev.longshore.stargz.layer.Layer;
import dev.longshore.stargz.layer.LayerSource;
import dev.longshore.stargz.layer.Layers;
import dev.longshore.stargz.layer.Resolved;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Snapshots on overlayfs of which those that are layers need not be unpacked: where labels say where a layer is to be had and what
 * it is, and it can be read in parts, it is mounted and committed at once. Any other is an ordinary snapshot, which says why.
 *
 * <p><b>Order of writing</b> of a layer that is mounted: what is stored of the layer, the active snapshot, which layer belongs to it,
 * the mount, the commit. A process that is killed before the commit leaves an active snapshot that nobody knows, which the
 * daemon has removed.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/snapshotters/remote-snapshotter.md">remote snapshots</a>
 */
final class StargzSnapshotter implements Snapshotter {

    private static final Logger log = LoggerFactory.getLogger(StargzSnapshotter.class);

    /** The name that a layer's snapshot is to have. */
    private static final String REF = "containerd.io/snapshot.ref";

    private static final int MAX_ATTEMPTS = 3;

    private final OverlaySnapshotter overlay;
    private final Layers layers;
    private final LazyMounts mounts;
    private final Duration prefetchTimeout;
    private final ReentrantLock restoring = new ReentrantLock();
    private final LongAdder lazy = new LongAdder();
    private final LongAdder ordinary = new LongAdder();

    private StargzSnapshotter(OverlaySnapshotter overlay, Layers layers, LazyMounts mounts, Duration prefetchTimeout) {
        this.overlay = overlay;
        this.layers = layers;
        this.mounts = mounts;
        this.prefetchTimeout = prefetchTimeout;
    }

    /**
     * Opens the snapshots under {@code root}, and goes on with the mounts of an earlier process. No registry is asked.
     *
     * @param layers closed with the snapshotter
     * @param prefetchTimeout how long the first user of a layer waits for what the layer says is needed first
     */
    static StargzSnapshotter open(
            Path root, OverlayOptions options, Layers layers, Duration prefetchTimeout, Clock clock)
            throws IOException {
        StargzLayout layout = new StargzLayout(root);
        LazyMounts mounts = new LazyMounts(layout, layers, opaqueXattrs(options));
        OverlaySnapshotter overlay =
                OverlaySnapshotter.open(root, options, clock, files -> mounts.unmount(StargzLayout.id(files), files));
        StargzSnapshotter snapshotter = new StargzSnapshotter(overlay, layers, mounts, prefetchTimeout);
        try {
            layers.keepChunks(true);
            try {
                snapshotter.restoreAll();
            } finally {
                layers.keepChunks(false);
            }
            return snapshotter;
        } catch (IOException | RuntimeException e) {
            overlay.close();
            throw e;
        }
    }

    /** Those that tell overlays of opaque folders: the kernel asks for one or the other, as the overlay is mounted. */
    static List<String> opaqueXattrs(OverlayOptions options) {
        return options.mountOptions().contains("userxattr")
                ? List.of("user.overlay.opaque")
                : List.of("trusted.overlay.opaque");
    }

    private void restoreAll() throws IOException {
        List<Stored> all = new ArrayList<>();
        overlay.each(all::add);
        Set<Digest> used = new HashSet<>();
        for (Stored stored : all) {
            Optional<Digest> layer = mounts.expected(stored.id());
            if (layer.isPresent() && stored.info().kind() == Kind.COMMITTED) {
                used.add(layer.get());
                restore(stored, layer.get());
            } else if (layer.isPresent()) {
                // Killed before it was committed: nobody was told of it.
                mounts.unmount(stored.id(), stored.files());
            }
        }
        layers.keepOnly(used);
    }

    /** What fails is tried again when somebody needs the snapshot; the others must not suffer from it. */
    private void restore(Stored stored, Digest digest) {
        try {
            Optional<Layer> here = layers.find(digest);
            Optional<Layer> layer = here.isPresent() ? here : layers.open(digest);
            if (layer.isPresent()) {
                mounts.restore(stored.id(), stored.files(), layer.get());
            } else {
                log.atWarn()
                        .addKeyValue("layer", digest)
                        .addKeyValue("snapshot", stored.info().name())
                        .log("nothing is stored of a layer: it is asked for again when it is used");
            }
        } catch (IOException | ContainerdException e) {
            log.atWarn()
                    .addKeyValue("layer", digest)
                    .addKeyValue("snapshot", stored.info().name())
                    .setCause(e)
                    .log("cannot mount a layer: it is tried again when it is used");
        }
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        Map<String, String> given = LazyLabels.given(labels);
        String ref = given.getOrDefault(REF, "");
        if (ref.isEmpty()) {
            ready(context, parent, prefetchTimeout);
            return overlay.prepare(context, key, parent, given);
        }
        refuseDone(ref, parent);
        ready(context, parent, Duration.ZERO);
        Optional<String> reason = mountLazily(context, key, parent, ref, given);
        if (reason.isEmpty()) {
            throw new AlreadyExistsException("target snapshot %s: its layer is mounted".formatted(ref));
        }
        return prepareOrdinary(context, key, parent, given, reason.get());
    }

    private List<Mount> prepareOrdinary(
            CallContext context, String key, String parent, Map<String, String> labels, String reason) {
        if (reason.equals(NO_SOURCE)) {
            return overlay.prepare(context, key, parent, labels);
        }
        ordinary.increment();
        log.atInfo()
                .addKeyValue("key", key)
                .addKeyValue("reason", reason)
                .log("layer is not read lazily and has to be unpacked");
        return overlay.prepare(context, key, parent, LazyLabels.with(labels, LazyLabels.not(reason)));
    }

    /** Somebody else, of another namespace maybe, has the same layer on the same parents. */
    private void refuseDone(String ref, String parent) {
        try {
            SnapshotInfo info = overlay.stored(ref).info();
            if (info.kind() == Kind.COMMITTED && info.parent().equals(parent)) {
                throw new AlreadyExistsException("target snapshot %s is there".formatted(ref));
            }
        } catch (NotFoundException e) {
            // As it is most of the time.
        }
    }

    private static final String NO_SOURCE = "the labels do not say where the layer is to be had";

    /** @return why not, if it is not mounted and committed then */
    private Optional<String> mountLazily(
            CallContext context, String key, String parent, String ref, Map<String, String> labels) {
        Optional<LayerSource> source;
        try {
            source = LayerSource.of(labels);
        } catch (InvalidArgumentException e) {
            return Optional.of("the labels that say where the layer is to be had are wrong: " + e.getMessage());
        }
        if (source.isEmpty()) {
            return Optional.of(NO_SOURCE);
        }
        try {
            Optional<String> shortage = Descriptors.shortage();
            if (shortage.isPresent()) {
                return shortage;
            }
        } catch (IOException e) {
            return Optional.of("it cannot be found out how many files are open: " + e.getMessage());
        }
        for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
            switch (resolve(context, source.get())) {
                case Resolved.Ordinary(String reason) -> {
                    return Optional.of(reason);
                }
                case Resolved.Lazy(Layer layer) -> {
                    overlay.prepare(context, key, parent, labels);
                    Stored stored = overlay.stored(key);
                    try {
                        if (mounts.mount(stored.id(), stored.files(), layer)) {
                            commitMounted(context, ref, stored, labels, layer);
                            return Optional.empty();
                        }
                    } catch (IOException e) {
                        giveUp(context, stored, e);
                        return Optional.of("the layer cannot be mounted: " + e.getMessage());
                    } catch (RuntimeException e) {
                        giveUp(context, stored, e);
                        throw e;
                    }
                    overlay.remove(context, key);
                }
            }
        }
        return Optional.of("the layer was given up as often as it was asked for");
    }

    private Resolved resolve(CallContext context, LayerSource source) {
        try {
            return layers.resolve(context, source);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("resolving layer %s was given up".formatted(source.digest()), e);
        }
    }

    private void commitMounted(
            CallContext context, String ref, Stored stored, Map<String, String> labels, Layer layer) {
        Usage usage = new Usage(layer.index().inodes(), layer.bytesOnDisk());
        overlay.commit(context, ref, stored.info().name(), Optional.empty(), labels, usage);
        lazy.increment();
        log.atInfo()
                .addKeyValue("snapshot", ref)
                .addKeyValue("layer", layer)
                .addKeyValue("image", layer.reference())
                .log("layer is mounted");
    }

    private void giveUp(CallContext context, Stored stored, Exception cause) {
        try {
            mounts.unmount(stored.id(), stored.files());
            overlay.remove(context, stored.info().name());
        } catch (IOException | ContainerdException e) {
            cause.addSuppressed(e);
        }
    }

    /**
     * Has all layers of a snapshot mounted.
     *
     * @param patience for what layers say is needed first
     */
    private void ready(CallContext context, String name, Duration patience) {
        if (name.isEmpty()) {
            return;
        }
        CallContext waiting = context.within(patience);
        for (long id : overlay.chain(name)) {
            Optional<Layer> layer = mounts.find(id);
            if (layer.isEmpty()) {
                layer = restoreOnUse(context, id, name);
            }
            mounts.useImage(id);
            if (layer.isPresent() && !patience.isZero()) {
                awaitPrefetch(layer.get(), waiting);
            }
        }
    }

    private static void awaitPrefetch(Layer layer, CallContext waiting) {
        try {
            if (!layer.awaitPrefetch(waiting.deadline().remaining())) {
                log.atDebug()
                        .addKeyValue("layer", layer)
                        .log("layer is used before all is here that it says is needed first");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("waiting for layer %s was given up".formatted(layer), e);
        }
    }

    /** @return empty if no layer belongs on that snapshot */
    private Optional<Layer> restoreOnUse(CallContext context, long id, String name) {
        try {
            Optional<Digest> digest = mounts.expected(id);
            if (digest.isEmpty()) {
                return Optional.empty();
            }
            Stored stored = storedOf(id, name);
            Layer layer = again(context, stored, digest.get());
            restoring.lock();
            try {
                if (mounts.find(id).isEmpty()) {
                    mounts.restore(id, stored.files(), layer);
                }
            } finally {
                restoring.unlock();
            }
            return mounts.find(id);
        } catch (IOException e) {
            throw new InternalException(
                    "the layer of snapshot %s below %s cannot be mounted: %s".formatted(id, name, e.getMessage()), e);
        }
    }

    private Stored storedOf(long id, String name) {
        Stored stored = overlay.stored(name);
        while (stored.id() != id) {
            stored = overlay.stored(stored.info().parent());
        }
        return stored;
    }

    /** What was stored of the layer is gone or damaged: the labels say where it was from. */
    private Layer again(CallContext context, Stored stored, Digest digest) {
        LayerSource source = LayerSource.of(stored.info().labels())
                .filter(found -> found.digest().equals(digest))
                .orElseThrow(() -> new UnavailableException(
                        "layer %s of snapshot %s is not here, and its labels do not say where it is to be had: remove the image and pull it again"
                                .formatted(digest, stored.info().name())));
        return switch (resolve(context, source)) {
            case Resolved.Lazy(Layer layer) -> layer;
            case Resolved.Ordinary(String reason) ->
                throw new UnavailableException("layer %s of snapshot %s is not here and cannot be had again: %s"
                        .formatted(digest, stored.info().name(), reason));
        };
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        ready(context, parent, prefetchTimeout);
        return overlay.view(context, key, parent, LazyLabels.given(labels));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        ready(context, key, prefetchTimeout);
        return overlay.mounts(context, key);
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        Map<String, String> kept = LazyLabels.kept(overlay.stored(key).info());
        overlay.commit(context, name, key, parent, LazyLabels.with(LazyLabels.given(labels), kept));
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return shown(overlay.stat(context, key), overlay.stored(key).id());
    }

    private SnapshotInfo shown(SnapshotInfo info, long id) {
        return mounts.find(id)
                .map(layer -> LazyLabels.with(info, LazyLabels.of(layer)))
                .orElse(info);
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        Map<String, String> kept = LazyLabels.kept(overlay.stored(info.name()).info());
        List<String> paths = new ArrayList<>(fieldPaths);
        paths.removeIf(path -> path.startsWith("labels." + LazyLabels.LAZY));
        Map<String, String> labels = new HashMap<>(LazyLabels.given(info.labels()));
        labels.putAll(kept);
        if (paths.isEmpty() && !fieldPaths.isEmpty()) {
            return stat(context, info.name());
        }
        SnapshotInfo wanted =
                new SnapshotInfo(info.kind(), info.name(), info.parent(), labels, info.created(), info.updated());
        return shown(
                overlay.update(context, wanted, paths),
                overlay.stored(info.name()).id());
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return mounts.find(overlay.stored(key).id())
                .map(layer -> new Usage(layer.index().inodes(), layer.bytesOnDisk()))
                .orElseGet(() -> overlay.usage(context, key));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        Filter filter = Filter.any(filters);
        overlay.each(stored -> {
            SnapshotInfo info = shown(stored.info(), stored.id());
            if (filter.matches(Fields.of(info))) {
                sink.accept(info);
            }
        });
    }

    @Override
    public void remove(CallContext context, String key) {
        overlay.remove(context, key);
    }

    @Override
    public void cleanup(CallContext context) {
        overlay.cleanup(context);
    }

    /** Layers that were mounted, and those that had to be unpacked although they were asked for lazily. */
    record Outcomes(long lazy, long ordinary, int mounts) {}

    Outcomes outcomes() {
        return new Outcomes(lazy.sum(), ordinary.sum(), mounts.count());
    }

    @Override
    public void close() {
        mounts.close();
        try {
            layers.close();
        } catch (IOException e) {
            throw new InternalException("closing the layers: " + e.getMessage(), e);
        } finally {
            overlay.close();
        }
    }
}
