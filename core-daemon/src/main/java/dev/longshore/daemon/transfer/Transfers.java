package dev.longshore.daemon.transfer;

import dev.longshore.daemon.transfer.Blobs.Source;
import dev.longshore.daemon.transfer.ImageTree.Leaf;
import dev.longshore.daemon.transfer.ProgressTracker.Job;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Platform;
import dev.longshore.sdk.oci.Reference;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/**
 * Moves images. Each call blocks until the image is where it is to be; interrupting its thread ends it. Safe for use by many threads.
 */
public final class Transfers {

    private final TransferStores stores;
    private final TransferConfig config;
    private final Blobs blobs;
    private final Semaphore unpacks;

    public Transfers(TransferStores stores, TransferConfig config) {
        this.stores = stores;
        this.config = config;
        this.blobs = new Blobs(stores.content(), stores.contentName());
        this.unpacks = new Semaphore(config.maxConcurrentUnpacks());
    }

    @FunctionalInterface
    private interface Work {
        void run(CallContext leased) throws IOException, InterruptedException;
    }

    private void leased(CallContext context, Work work) {
        CallContext leased = stores.leases().begin(context);
        try {
            work.run(leased);
        } catch (IOException e) {
            throw new UnavailableException(String.valueOf(e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("the transfer was given up", e);
        } finally {
            stores.leases().end(context, leased);
        }
    }

    private Registry registry(RegistryImage image) {
        List<Path> folders = image.hostDirectories().isEmpty() ? config.configPath() : image.hostDirectories();
        return new Registry(new HostsDirectory(folders, image.plainHttp()), image.credentials(), image.headers());
    }

    /** From a registry to the store, unpacked as {@code wanted} says. */
    public void pull(CallContext context, RegistryImage from, StoredImage wanted, Consumer<Progress> sink) {
        leased(context, leased -> {
            sink.accept(Progress.line("Resolving from " + from));
            try (Registry registry = registry(from)) {
                Descriptor root = registry.resolve(leased, from.reference());
                sink.accept(Progress.line("Pulling from " + from));
                sink.accept(Progress.image(
                        "fetching image content", from.reference().toString(), root));
                try (ProgressTracker progress =
                        new ProgressTracker(sink, from.reference().toString(), "downloading")) {
                    new ImageReceiver(leased, stores, blobs, config, unpacks, wanted, progress)
                            .receive(root, origin(registry, leased, from.reference()));
                }
                for (String name : new ImageNames(wanted).store(leased, stores.images(), root)) {
                    sink.accept(Progress.image("saved", name, root));
                }
            }
            sink.accept(Progress.line("Completed pull from " + from));
        });
    }

    private ImageReceiver.Origin origin(Registry registry, CallContext context, Reference reference) {
        return new ImageReceiver.Origin() {
            @Override
            public Optional<Source> source(Descriptor descriptor) {
                List<URI> urls = uris(descriptor);
                int piece = config.layerFetchBuffer();
                return Optional.of(offset -> piece == 0
                        ? registry.fetch(context, reference, descriptor, urls, offset)
                        : registry.fetchInPieces(
                                context,
                                reference,
                                descriptor,
                                urls,
                                offset,
                                new Registry.Pieces(piece, config.maxConcurrentDownloads())));
            }

            @Override
            public Map<String, String> labels() {
                return Map.of("containerd.io/distribution.source." + reference.host(), reference.repository());
            }

            @Override
            public Optional<String> name() {
                return Optional.of(reference.toString());
            }
        };
    }

    private static List<URI> uris(Descriptor descriptor) {
        List<URI> uris = new ArrayList<>();
        for (String url : descriptor.urls()) {
            try {
                uris.add(URI.create(url));
            } catch (IllegalArgumentException e) {
                throw new InvalidArgumentException(
                        "a url of %s is none: \"%.80s\"".formatted(descriptor.digest(), url), e);
            }
        }
        return uris;
    }

    /**
     * From IPFS to the store, unpacked as {@code wanted} says. The store itself fetches the blobs.
     *
     * @throws FailedPreconditionException if it is a store that cannot
     */
    public void pull(CallContext context, IpfsImage from, StoredImage wanted, Consumer<Progress> sink) {
        leased(context, leased -> {
            sink.accept(Progress.line("Resolving from " + from));
            try (ProgressTracker progress = new ProgressTracker(sink, from.toString(), "downloading")) {
                ImageReceiver receiver = new ImageReceiver(leased, stores, blobs, config, unpacks, wanted, progress);
                Descriptor root = receiver.root(from);
                sink.accept(Progress.line("Pulling from " + from));
                sink.accept(Progress.image("fetching image content", from.toString(), root));
                receiver.receive(root, inIpfs(from));
                // Kept with the image, so that whoever has that CID may have it from here.
                blobs.label(
                        leased,
                        root.digest(),
                        Map.of(
                                "containerd.io/gc.ref.content.ipfs",
                                from.document().digest().toString()));
                for (String name : new ImageNames(wanted).store(leased, stores.images(), root)) {
                    sink.accept(Progress.image("saved", name, root));
                }
            }
            sink.accept(Progress.line("Completed pull from " + from));
        });
    }

    /** Descriptors say where blobs are. */
    private static ImageReceiver.Origin inIpfs(IpfsImage image) {
        return new ImageReceiver.Origin() {
            @Override
            public Optional<Source> source(Descriptor descriptor) {
                return Optional.empty();
            }

            @Override
            public Map<String, String> labels() {
                return Map.of();
            }

            @Override
            public Optional<String> name() {
                return Optional.of(image.toString());
            }
        };
    }

    /** From the store to a registry: blobs first, then what refers to them. */
    public void push(CallContext context, StoredImage from, RegistryImage to, Consumer<Progress> sink) {
        leased(context, leased -> {
            String name = from.name().isEmpty() ? to.reference().toString() : from.name();
            Descriptor root = stores.images().get(leased, name);
            sink.accept(Progress.line("Pushing to " + to));
            sink.accept(Progress.image("pushing content", name, root));
            Map<Descriptor, Optional<Descriptor>> documents = new LinkedHashMap<>();
            List<Leaf> leaves = new ImageTree(leased, blobs, from)
                    .<RuntimeException>walk(root, (descriptor, parent) -> documents.put(descriptor, parent));
            try (Registry registry = registry(to);
                    ProgressTracker progress = new ProgressTracker(sink, name, "uploading")) {
                pushLayers(leased, registry, to.reference(), leaves, progress);
                // Documents were found from the top down; a registry wants what is referred to first.
                for (Map.Entry<Descriptor, Optional<Descriptor>> document :
                        List.copyOf(documents.entrySet()).reversed()) {
                    push(
                            leased,
                            registry,
                            to.reference(),
                            document.getKey(),
                            document.getKey().equals(root),
                            progress.add(document.getKey(), document.getValue()));
                }
            }
            sink.accept(Progress.image("pushed content", name, root));
            sink.accept(Progress.line("Completed push to " + to));
        });
    }

    private void pushLayers(
            CallContext context, Registry registry, Reference to, List<Leaf> leaves, ProgressTracker progress)
            throws IOException, InterruptedException {
        Semaphore uploads = new Semaphore(config.maxConcurrentUploads());
        ExecutorService workers = Executors.newVirtualThreadPerTaskExecutor();
        try {
            Map<Descriptor, Future<?>> layers = new LinkedHashMap<>();
            for (Leaf leaf : leaves) {
                for (Descriptor layer : leaf.wanted() ? leaf.manifest().layers() : List.<Descriptor>of()) {
                    Job job = progress.add(layer, Optional.of(leaf.descriptor()));
                    layers.computeIfAbsent(
                            layer,
                            _ -> workers.submit(() -> {
                                uploads.acquire();
                                try {
                                    push(context, registry, to, layer, false, job);
                                } finally {
                                    uploads.release();
                                }
                                return layer;
                            }));
                }
            }
            for (Future<?> layer : layers.values()) {
                layer.get();
            }
        } catch (ExecutionException e) {
            throw Failures.of(e);
        } finally {
            workers.shutdownNow();
            workers.close();
        }
    }

    private void push(
            CallContext context, Registry registry, Reference to, Descriptor descriptor, boolean tagged, Job job)
            throws IOException, InterruptedException {
        boolean sent = registry.push(
                context,
                to,
                descriptor,
                tagged,
                () -> new BlobStream(blobs.reader(context, descriptor.digest()), job::advance));
        if (sent) {
            job.complete();
        } else {
            job.exists();
        }
    }

    /**
     * From an archive to the store, unpacked as {@code wanted} says.
     *
     * @param archive read to its end
     */
    public void importArchive(CallContext context, InputStream archive, StoredImage wanted, Consumer<Progress> sink) {
        leased(context, leased -> {
            sink.accept(Progress.line("Importing"));
            List<Descriptor> images = new ImportedArchive(leased, stores.content(), blobs).read(archive);
            for (Descriptor image : images) {
                ImageNames names = new ImageNames(wanted);
                Descriptor bare = new Descriptor(image.mediaType(), image.digest(), image.size());
                try (ProgressTracker progress =
                        new ProgressTracker(sink, image.digest().toString(), "importing")) {
                    new ImageReceiver(leased, stores, blobs, config, unpacks, wanted, progress).receive(bare, ARCHIVE);
                }
                List<String> given = new ArrayList<>(names.storeAnnotated(leased, stores.images(), image));
                if (images.size() == 1) {
                    given.addAll(names.store(leased, stores.images(), bare));
                }
                if (given.isEmpty()) {
                    throw new InvalidArgumentException(
                            "the archive does not name its image %s: give it a name".formatted(image.digest()));
                }
                given.forEach(name -> sink.accept(Progress.image("saved", name, bare)));
            }
            sink.accept(Progress.line("Completed import"));
        });
    }

    /** All that an archive has is in the store when its images are looked at. */
    private static final ImageReceiver.Origin ARCHIVE = new ImageReceiver.Origin() {
        @Override
        public Optional<Source> source(Descriptor descriptor) {
            return Optional.of(_ -> {
                throw new InvalidArgumentException(
                        "the archive lacks %s, which its image consists of".formatted(descriptor.digest()));
            });
        }

        @Override
        public Map<String, String> labels() {
            return Map.of();
        }

        @Override
        public Optional<String> name() {
            return Optional.empty();
        }
    };

    /**
     * From the store to an archive.
     *
     * @param out closed when all is written, and only then
     */
    public void exportArchive(
            CallContext context, StoredImage from, ExportedImage options, OutputStream out, Consumer<Progress> sink) {
        leased(context, leased -> {
            sink.accept(Progress.line("Exporting"));
            List<Platform> platforms = options.platforms().isEmpty() ? List.of(Platforms.host()) : options.platforms();
            StoredImage wanted = new StoredImage(
                    "", Map.of(), options.allPlatforms() ? List.of() : platforms, false, 0, List.of(), List.of());
            List<ArchiveWriter.Image> images = new ArrayList<>();
            for (String name : names(from)) {
                Descriptor root = stores.images().get(leased, name);
                Set<Descriptor> documents = new LinkedHashSet<>();
                List<Leaf> leaves = new ImageTree(leased, blobs, wanted)
                        .<RuntimeException>walk(root, (descriptor, _) -> documents.add(descriptor));
                images.add(new ArchiveWriter.Image(name, root, documents, leaves));
            }
            new ArchiveWriter(leased, blobs).write(out, images, options);
            out.close();
            sink.accept(Progress.line("Completed export"));
        });
    }

    private static List<String> names(StoredImage from) {
        List<String> names = new ArrayList<>();
        if (!from.name().isEmpty()) {
            names.add(from.name());
        }
        for (StoredImage.ExtraReference extra : from.extraReferences()) {
            if (extra.prefix()) {
                throw new UnimplementedException(
                        "images are exported by their names, not by the prefix \"%s\"".formatted(extra.name()));
            }
            names.add(extra.name());
        }
        if (names.isEmpty()) {
            throw new InvalidArgumentException("no image is named to be exported");
        }
        return names;
    }

    /** Another name for an image of the store. */
    public void tag(CallContext context, StoredImage from, StoredImage to) {
        Descriptor target = stores.images().get(context, from.name());
        var _ = new ImageNames(to).store(context, stores.images(), target);
    }
}
