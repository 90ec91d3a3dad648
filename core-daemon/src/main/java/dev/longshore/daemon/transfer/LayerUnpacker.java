package dev.longshore.daemon.transfer;

import dev.longshore.daemon.transfer.ProgressTracker.Job;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.ChainIds;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Makes snapshots of an image's layers while they come. A snapshotter that reads layers itself is told where each is to be had before
 * it is fetched; what it takes is not fetched at all. Any other layer is unpacked, each on the one below, named by chain ids. Where the snapshotter can give a
 * snapshot its parent when it is committed (capability {@code rebase}), layers are applied all at once, else one after the other.
 *
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid">chain ids</a>
 */
final class LayerUnpacker {

    private static final String SNAPSHOT_REF = "containerd.io/snapshot.ref";

    /** Says to a snapshotter that the parent comes with the commit. */
    private static final String PARENT_CHAIN_ID = "containerd.io/snapshot/parent-chain-id";

    private final CallContext context;
    private final Blobs blobs;
    private final TransferStores stores;
    private final Target target;
    private final Optional<LayerLabels> labels;

    /**
     * Where snapshots are made.
     *
     * @param rebase whether it takes a parent with the commit
     * @param annotated whether it is told where layers are to be had
     */
    record Target(String name, Snapshotter snapshotter, boolean rebase, boolean annotated) {}

    /**
     * A layer's fetch.
     *
     * @param done when it is there, verified
     * @param arrival the layer until then
     */
    record Fetch(Future<?> done, Arrival arrival) {}

    /** @param fetch begins to fetch the layer, unless that has begun */
    record Layer(Descriptor descriptor, Digest diffId, Supplier<Fetch> fetch, Job job) {}

    /**
     * @param stores with appliers that are tried in order, the next only if one does not have the media type at all
     * @param labels for a snapshotter that is told where layers are to be had
     */
    LayerUnpacker(
            CallContext context, Blobs blobs, TransferStores stores, Target target, Optional<LayerLabels> labels) {
        this.context = context;
        this.blobs = blobs;
        this.stores = stores;
        this.target = target;
        this.labels = labels;
    }

    /**
     * Unpacks what is not unpacked.
     *
     * @param workers for what is done at once
     * @throws DataLossException if a layer is not what the configuration says
     */
    void unpack(Manifests.Manifest manifest, List<Layer> layers, ExecutorService workers) throws InterruptedException {
        List<String> names = ChainIds.of(layers.stream().map(Layer::diffId).toList());
        String chain = names.isEmpty() ? "" : names.getLast();
        if (!chain.isEmpty() && !has(chain)) {
            if (target.rebase() && layers.size() > 1) {
                unpackAtOnce(layers, names, workers);
            } else {
                unpackInOrder(layers, names);
            }
        }
        if (!chain.isEmpty()) {
            blobs.label(
                    context,
                    manifest.config().digest(),
                    Map.of("containerd.io/gc.ref.snapshot." + target.name(), chain));
        }
    }

    private boolean has(String name) {
        try {
            target.snapshotter().stat(context, name);
            return true;
        } catch (NotFoundException e) {
            return false;
        }
    }

    private void unpackInOrder(List<Layer> layers, List<String> names) throws InterruptedException {
        String parent = "";
        for (int i = 0; i < layers.size(); i++) {
            String name = names.get(i);
            if (!has(name)) {
                Optional<String> key = apply(layers.get(i), parent, name, Map.of());
                if (key.isPresent()) {
                    commit(layers.get(i), key.get(), name, Optional.empty());
                }
            }
            layers.get(i).job().extracted();
            parent = name;
        }
    }

    private void unpackAtOnce(List<Layer> layers, List<String> names, ExecutorService workers)
            throws InterruptedException {
        int first = 0;
        while (has(names.get(first))) {
            layers.get(first).job().extracted();
            first++;
        }
        List<Future<Optional<String>>> applied = new ArrayList<>();
        for (int i = first; i < layers.size(); i++) {
            Layer layer = layers.get(i);
            String name = names.get(i);
            Map<String, String> labels = i == 0 ? Map.of() : Map.of(PARENT_CHAIN_ID, names.get(i - 1));
            applied.add(workers.submit(() -> apply(layer, "", name, labels)));
        }
        for (int i = first; i < layers.size(); i++) {
            try {
                Optional<String> key = applied.get(i - first).get();
                if (key.isPresent()) {
                    commit(
                            layers.get(i),
                            key.get(),
                            names.get(i),
                            i == 0 ? Optional.empty() : Optional.of(names.get(i - 1)));
                }
                layers.get(i).job().extracted();
            } catch (ExecutionException e) {
                RuntimeException failure = Failures.of(e);
                discard(applied.subList(i - first + 1, applied.size()), failure);
                throw failure;
            } catch (ContainerdException e) {
                discard(applied.subList(i - first + 1, applied.size()), e);
                throw e;
            }
        }
    }

    /** What the layers above one that failed have left. */
    private void discard(List<Future<Optional<String>>> applied, RuntimeException cause) throws InterruptedException {
        for (Future<Optional<String>> one : applied) {
            try {
                one.get().ifPresent(key -> remove(key, cause));
            } catch (ExecutionException e) {
                cause.addSuppressed(e); // it has removed its own
            }
        }
    }

    /**
     * Writes a layer into a snapshot of its own.
     *
     * @return its key; empty if a snapshot of that name is there by now
     */
    private Optional<String> apply(Layer layer, String parent, String name, Map<String, String> more)
            throws InterruptedException {
        if (labels.isEmpty()) {
            layer.fetch().get().arrival().await();
        }
        String key = "extract-%s %s".formatted(UUID.randomUUID(), name);
        Map<String, String> all = labels(layer, name);
        all.putAll(more);
        List<Mount> mounts;
        try {
            mounts = target.snapshotter().prepare(context, key, parent, all);
        } catch (AlreadyExistsException e) {
            // A remote snapshotter has the layer already, or somebody else has just unpacked it.
            if (has(name)) {
                return Optional.empty();
            }
            throw e;
        }
        try {
            Optional<Digest> early = applyAsItComes(layer, mounts);
            await(layer);
            layer.job().extracting();
            Digest applied = early.isPresent() ? early.get() : applyWhole(layer, mounts);
            if (!applied.equals(layer.diffId())) {
                throw new DataLossException(
                        "layer %s unpacks to %s, and its image says %s: the image is damaged or forged"
                                .formatted(layer.descriptor().digest(), applied, layer.diffId()));
            }
            blobs.label(
                    context,
                    layer.descriptor().digest(),
                    Map.of("containerd.io/uncompressed", layer.diffId().toString()));
            return Optional.of(key);
        } catch (RuntimeException | InterruptedException e) {
            remove(key, e);
            throw e;
        }
    }

    private Map<String, String> labels(Layer layer, String name) {
        Map<String, String> all = new HashMap<>();
        labels.ifPresent(source -> all.putAll(source.of(layer.descriptor())));
        all.put(SNAPSHOT_REF, name);
        return all;
    }

    /** Until the layer is there; what was made of it before is not to count otherwise. */
    private static void await(Layer layer) throws InterruptedException {
        try {
            layer.fetch().get().done().get();
        } catch (ExecutionException e) {
            throw Failures.of(e);
        }
    }

    /** @return empty if the layer is to be applied when all of it is there */
    private Optional<Digest> applyAsItComes(Layer layer, List<Mount> mounts) throws InterruptedException {
        Arrival arrival = layer.fetch().get().arrival();
        arrival.await();
        Optional<Applier> applier = stores.applierHere().get();
        Optional<ContentReader> coming = applier.flatMap(_ -> arrival.take());
        if (coming.isEmpty()) {
            return Optional.empty();
        }
        Digest digest = layer.descriptor().digest();
        try (var _ = stores.meter().lend(context, digest, coming.get());
                var _ = stores.meter().watch(digest, position -> {
                    if (arrival.hasEnded()) {
                        layer.job().extracting();
                    }
                    layer.job().extracted(position);
                })) {
            return applier.map(here -> here.apply(context, layer.descriptor(), mounts, Map.of(), false)
                    .digest());
        } catch (UnimplementedException e) {
            return Optional.empty();
        } catch (RuntimeException e) {
            // Bytes that make no sense are not what was asked for, if the fetch says so in the end.
            await(layer);
            throw e;
        }
    }

    private Digest applyWhole(Layer layer, List<Mount> mounts) {
        UnimplementedException last = new UnimplementedException("there is no differ");
        try (var _ = stores.meter().watch(layer.descriptor().digest(), layer.job()::extracted)) {
            for (Applier applier : stores.appliers().get()) {
                try {
                    return applier.apply(context, layer.descriptor(), mounts, Map.of(), false)
                            .digest();
                } catch (UnimplementedException e) {
                    last = e;
                }
            }
        }
        throw last;
    }

    private void commit(Layer layer, String key, String name, Optional<String> parent) {
        try {
            target.snapshotter().commit(context, name, key, parent, labels(layer, name));
        } catch (AlreadyExistsException e) {
            // Somebody else was faster, with the same content: the name is its digest.
            remove(key, e);
        } catch (RuntimeException e) {
            remove(key, e);
            throw e;
        }
    }

    private void remove(String key, Exception reason) {
        try {
            target.snapshotter().remove(context, key);
        } catch (ContainerdException e) {
            reason.addSuppressed(e);
        }
    }

    /** @throws InvalidArgumentException if manifest and configuration do not fit together */
    static void requireSameNumber(Manifests.Manifest manifest, Manifests.Config config) {
        if (manifest.layers().size() != config.diffIds().size()) {
            throw new InvalidArgumentException("the image has %d layers and the digests of %d"
                    .formatted(manifest.layers().size(), config.diffIds().size()));
        }
    }
}
