package dev.longshore.daemon.transfer;

import dev.longshore.daemon.transfer.Blobs.Source;
import dev.longshore.daemon.transfer.Blobs.Watcher;
import dev.longshore.daemon.transfer.ImageTree.Leaf;
import dev.longshore.daemon.transfer.LayerUnpacker.Fetch;
import dev.longshore.daemon.transfer.LayerUnpacker.Layer;
import dev.longshore.daemon.transfer.LayerUnpacker.Target;
import dev.longshore.daemon.transfer.ProgressTracker.Job;
import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.Platform;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * Takes an image in: what describes it first, then its layers, several at a time, which are unpacked while they still come. A blob is
 * verified while it is written, its uncompressed form while it is unpacked.
 */
final class ImageReceiver {

    private final CallContext context;
    private final TransferStores stores;
    private final Blobs blobs;
    private final TransferConfig config;
    private final Semaphore unpacks;
    private final StoredImage wanted;
    private final ProgressTracker progress;

    /** Where blobs come from. */
    interface Origin {

        /** Empty if every blob is to be had from where its descriptor says only. */
        Optional<Source> source(Descriptor descriptor);

        /** Labels that say where a blob is from. */
        Map<String, String> labels();

        /** The image's name, by which others can ask for its layers; empty if it is from nowhere that they could. */
        Optional<String> name();
    }

    /** @param unpacks one for each image that may be unpacked at a time, in the whole daemon */
    ImageReceiver(
            CallContext context,
            TransferStores stores,
            Blobs blobs,
            TransferConfig config,
            Semaphore unpacks,
            StoredImage wanted,
            ProgressTracker progress) {
        this.context = context;
        this.stores = stores;
        this.blobs = blobs;
        this.config = config;
        this.unpacks = unpacks;
        this.wanted = wanted;
        this.progress = progress;
    }

    /** What the document says that {@code image} names. */
    Descriptor root(IpfsImage image) throws InterruptedException {
        Descriptor document = image.document();
        blobs.take(
                context,
                document,
                Map.of(),
                image.cid(),
                watcher(progress.add(document, Optional.empty()), Optional.empty()));
        return Manifests.descriptor(Json.object(blobs.document(context, document), "the document at " + image));
    }

    /** Stores and unpacks what of {@code root} is wanted. */
    void receive(Descriptor root, Origin origin) throws IOException, InterruptedException {
        Semaphore downloads = new Semaphore(config.maxConcurrentDownloads());
        ExecutorService workers = Executors.newVirtualThreadPerTaskExecutor();
        try {
            List<Leaf> leaves = new ImageTree(context, blobs, wanted)
                    .<Exception>walk(
                            root,
                            (descriptor, parent) -> store(descriptor, parent, origin, Map.of(), Optional.empty()));
            List<Future<?>> unpacking = new ArrayList<>();
            Map<Digest, Fetch> fetching = new ConcurrentHashMap<>();
            for (Leaf leaf : leaves) {
                if (leaf.wanted()) {
                    fetch(leaf, origin, downloads, workers, fetching, unpacking);
                }
            }
            for (Fetch fetch : fetching.values()) {
                fetch.done().get();
            }
            for (Future<?> unpacked : unpacking) {
                unpacked.get(); // after what it has fetched besides
            }
        } catch (ExecutionException e) {
            throw Failures.of(e);
        } catch (IOException | InterruptedException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw Failures.of(e);
        } finally {
            // Whoever still works for an image that failed is told to stop; nothing is left running behind.
            workers.shutdownNow();
            workers.close();
        }
    }

    private void fetch(
            Leaf leaf,
            Origin origin,
            Semaphore downloads,
            ExecutorService workers,
            Map<Digest, Fetch> fetching,
            List<Future<?>> unpacking) {
        List<Target> targets = wanted.unpacks().stream()
                .filter(unpack -> matches(unpack.platform(), leaf.platform()))
                .map(unpack -> unpack.snapshotter().isEmpty() ? config.unpackSnapshotter() : unpack.snapshotter())
                .map(stores::target)
                .toList();
        // Who reads layers itself is asked first; what it does not take is fetched when that is known.
        boolean later = !targets.isEmpty()
                && origin.name().isPresent()
                && targets.stream().allMatch(Target::annotated);
        List<Supplier<Fetch>> layers = new ArrayList<>();
        for (Descriptor layer : leaf.manifest().layers()) {
            progress.add(layer, Optional.of(leaf.descriptor()));
            Supplier<Fetch> fetch = () -> fetching.computeIfAbsent(layer.digest(), _ -> {
                Arrival arrival = new Arrival(layer.size());
                Callable<Digest> work = () -> fetch(leaf, layer, origin, downloads, arrival);
                return new Fetch(workers.submit(work), arrival);
            });
            if (!later) {
                var _ = fetch.get();
            }
            layers.add(fetch);
        }
        for (Target target : targets) {
            unpacking.add(workers.submit(() -> {
                unpack(leaf, layers, target, origin, workers);
                return target;
            }));
        }
    }

    private Digest fetch(Leaf leaf, Descriptor layer, Origin origin, Semaphore downloads, Arrival arrival)
            throws IOException, InterruptedException {
        Optional<RuntimeException> failure = Optional.of(new CanceledException("the fetch was given up"));
        try {
            downloads.acquire();
            try {
                store(layer, Optional.of(leaf.descriptor()), origin, origin.labels(), Optional.of(arrival));
            } finally {
                downloads.release();
            }
            failure = Optional.empty();
        } catch (IOException | InterruptedException | RuntimeException e) {
            failure = Optional.of(Failures.of(e));
            throw e;
        } finally {
            arrival.ended(failure);
        }
        return layer.digest();
    }

    private static boolean matches(Platform asked, Platform offered) {
        return offered.os().isEmpty() || Platforms.rank(asked.os().isEmpty() ? Platforms.host() : asked, offered) >= 0;
    }

    private void unpack(Leaf leaf, List<Supplier<Fetch>> fetches, Target target, Origin origin, ExecutorService workers)
            throws InterruptedException {
        Manifests.Manifest manifest = leaf.manifest();
        Manifests.Config image = Manifests.config(
                blobs.document(context, manifest.config()),
                "configuration " + manifest.config().digest());
        LayerUnpacker.requireSameNumber(manifest, image);
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < manifest.layers().size(); i++) {
            Descriptor layer = manifest.layers().get(i);
            layers.add(new Layer(
                    layer,
                    image.diffIds().get(i),
                    fetches.get(i),
                    progress.add(layer, Optional.of(leaf.descriptor()))));
        }
        Optional<LayerLabels> labels = origin.name()
                .filter(_ -> target.annotated())
                .map(name -> new LayerLabels(name, leaf.descriptor().digest(), manifest.layers()));
        if (labels.isPresent()) {
            declare(manifest.layers(), origin);
        }
        unpacks.acquire();
        try {
            new LayerUnpacker(context, blobs, stores, target, labels).unpack(manifest, layers, workers);
        } finally {
            unpacks.release();
        }
    }

    /** A snapshotter that reads layers itself asks the content store for those that no registry has: it must know of them by then. */
    private void declare(List<Descriptor> layers, Origin origin) throws InterruptedException {
        for (Descriptor layer : layers) {
            if (origin.source(layer).isEmpty()) {
                boolean _ = blobs.declare(context, layer, origin.labels(), cid(layer));
            }
        }
    }

    private static Cid cid(Descriptor descriptor) {
        return IpfsImage.cid(descriptor)
                .orElseThrow(() -> new InvalidArgumentException(
                        "%s has no url that begins with ipfs://, so nobody knows where to have it from"
                                .formatted(descriptor.digest())));
    }

    private void store(
            Descriptor descriptor,
            Optional<Descriptor> parent,
            Origin origin,
            Map<String, String> labels,
            Optional<Arrival> arrival)
            throws IOException, InterruptedException {
        Watcher watcher = watcher(progress.add(descriptor, parent), arrival);
        Optional<Source> source = origin.source(descriptor);
        if (source.isEmpty()) {
            blobs.take(context, descriptor, labels, cid(descriptor), watcher);
            return;
        }
        Optional<Cid> ipfs = IpfsImage.cid(descriptor);
        try {
            blobs.store(context, descriptor, labels, source.get(), watcher);
        } catch (NotFoundException e) {
            if (ipfs.isEmpty()) {
                throw e;
            }
            takeInstead(descriptor, labels, ipfs.get(), watcher, e);
        }
    }

    /** From IPFS what a registry does not have. */
    private void takeInstead(
            Descriptor descriptor, Map<String, String> labels, Cid cid, Watcher watcher, NotFoundException missing)
            throws InterruptedException {
        try {
            blobs.take(context, descriptor, labels, cid, watcher);
        } catch (ContainerdException e) {
            throw new NotFoundException(
                    "%s, and from ipfs://%s it cannot be had either: %s"
                            .formatted(missing.getMessage(), cid, e.getMessage()),
                    missing);
        }
    }

    private static Watcher watcher(Job job, Optional<Arrival> arrival) {
        return new Watcher() {
            @Override
            public void begins(Optional<ContentReader> written) {
                written.ifPresent(reader -> arrival.ifPresentOrElse(layer -> layer.begins(reader), reader::close));
            }

            @Override
            public void advance(long count) {
                job.advance(count);
                arrival.ifPresent(layer -> layer.advance(count));
            }

            @Override
            public void complete() {
                job.complete();
            }

            @Override
            public void exists() {
                job.exists();
            }
        };
    }
}
