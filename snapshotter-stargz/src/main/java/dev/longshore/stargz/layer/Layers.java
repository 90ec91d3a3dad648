package dev.longshore.stargz.layer;

import dev.longshore.estargz.TocVerification;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.stargz.erofs.ErofsFiles;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.LayerProbe.Probed;
import dev.longshore.stargz.layer.Resolved.Lazy;
import dev.longshore.stargz.layer.Resolved.Ordinary;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All layers that are read lazily, one object for each digest, whoever uses it: found out about in a content store or a registry, or opened from what
 * is stored of them. Safe for use by many threads.
 *
 * <p><b>Order of writing.</b> The folder, the index, the record. A folder without a record is rubbish that a crash or a failed
 * attempt has left, and is removed by {@link #keepOnly}.
 */
public final class Layers implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Layers.class);

    /** MiB of chunks in memory at a time. */
    private static final int MEMORY = 64;

    private final LayerLayout layout;
    private final BlobSources sources;
    private final LayerSettings settings;
    private final ChunkCache cache;
    private final Traffic traffic;
    private final LayerProbe probe;
    private final ProbesAhead probesAhead;
    private final Map<Digest, Layer> layers = new ConcurrentHashMap<>();
    private final Map<Digest, CompletableFuture<Resolved>> resolving = new ConcurrentHashMap<>();
    private final Fetchers fetchers = new Fetchers();
    private final Semaphore memory = new Semaphore(MEMORY);
    private final ChunkBuffers buffers = new ChunkBuffers();
    private final FetchAhead ahead;
    private final LayerImages images;

    /**
     * @param root folder for what is stored; made if it is not there
     * @param opaqueXattrs if the kernel can mount images of complete layers: the attributes that opaque folders get in them
     */
    public Layers(
            Path root,
            BlobSources sources,
            LayerSettings settings,
            ChunkCache cache,
            Traffic traffic,
            Optional<List<String>> opaqueXattrs)
            throws IOException {
        this.layout = new LayerLayout(root);
        this.sources = sources;
        this.settings = settings;
        this.cache = cache;
        this.traffic = traffic;
        this.probe = new LayerProbe(sources, traffic);
        this.probesAhead = new ProbesAhead(probe, layout.ahead(), settings.resolveTimeout(), System::nanoTime);
        this.images = new LayerImages(layout, cache, opaqueXattrs);
        this.ahead = new FetchAhead(settings, traffic, images);
        Files.createDirectories(root);
    }

    /** The layer if it is in use. */
    public Optional<Layer> find(Digest digest) {
        return Optional.ofNullable(layers.get(digest));
    }

    /** The layers that are in use. */
    public Set<Layer> all() {
        return Set.copyOf(layers.values());
    }

    /**
     * Finds out whether a layer can be read lazily, and makes it ready.
     *
     * @return why not, if it cannot
     */
    public Resolved resolve(CallContext context, LayerSource source) throws InterruptedException {
        CompletableFuture<Resolved> mine = new CompletableFuture<>();
        CompletableFuture<Resolved> first = resolving.putIfAbsent(source.digest(), mine);
        if (first != null) {
            return await(first, source);
        }
        try {
            Resolved resolved = known(source).orElse(null);
            if (resolved == null) {
                resolved = found(context.within(settings.resolveTimeout()), source);
            }
            mine.complete(resolved);
            return resolved;
        } finally {
            resolving.remove(source.digest(), mine);
            mine.complete(new Ordinary("it could not be found out in time whether the layer can be read lazily"));
        }
    }

    private Resolved await(CompletableFuture<Resolved> first, LayerSource source) throws InterruptedException {
        try {
            Resolved resolved = first.get();
            // Whoever asked first may have been promised another table.
            return resolved instanceof Lazy(Layer layer) ? accepted(layer, source) : resolved;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e); // it is never completed so
        }
    }

    /** A layer that is here already, unless another table is promised for it now. */
    private Optional<Resolved> known(LayerSource source) {
        Optional<Layer> here = find(source.digest());
        if (here.isEmpty()) {
            try {
                here = open(source.digest());
            } catch (ContainerdException | IOException e) {
                log.atWarn()
                        .addKeyValue("layer", source.digest())
                        .setCause(e)
                        .log("cannot open a layer, it is fetched anew");
            }
        }
        return here.map(layer -> accepted(layer, source));
    }

    /** An image must not get what another one, of somebody else, has promised for the same digest. */
    private Resolved accepted(Layer layer, LayerSource source) {
        LayerRecord stored = layer.stored();
        boolean same = switch (source.toc()) {
            case TocVerification.Uncompressed(Digest toc) -> toc.equals(stored.toc());
            case TocVerification.Compressed(Digest toc) ->
                stored.compressedToc().equals(Optional.of(toc));
            case TocVerification.Absent _ -> settings.allowNoVerification();
        };
        return same
                ? new Lazy(layer)
                : new Ordinary("the layer is in use with the table of contents %s, which is not what the image promises"
                        .formatted(stored.toc()));
    }

    /**
     * Opens a layer from what is stored of it; no registry is asked.
     *
     * @return empty if nothing is stored of it
     * @throws dev.longshore.sdk.errors.DataLossException if what is stored is damaged
     */
    public Optional<Layer> open(Digest digest) throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(layout.record(digest));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        LayerRecord stored = LayerRecord.decode(bytes, layout.record(digest).toString());
        return Optional.of(ready(digest, stored, 0));
    }

    /** @param prefetch bytes to fetch if the layer does not say how many */
    private Layer ready(Digest digest, LayerRecord stored, long prefetch) throws IOException {
        LayerIndex index = LayerIndex.open(layout.index(digest));
        try {
            Optional<ErofsFiles> image = images.open(digest, index);
            BigFiles big = BigFiles.of(index);
            LayerFiles files = image.isPresent()
                    ? LayerFiles.of(image.get(), big, traffic)
                    : LayerFiles.of(chunks(digest, stored, index, big), big, traffic);
            Layer layer = new Layer(digest, stored, index, files, images.mountable());
            layers.put(digest, layer);
            ahead.add(layer, prefetch);
            return layer;
        } catch (IOException | RuntimeException e) {
            index.close();
            throw e;
        }
    }

    private LayerContent chunks(Digest digest, LayerRecord stored, LayerIndex index, BigFiles big) throws IOException {
        ChunkTable table = new ChunkTable(index, big);
        ChunkStore store = ChunkStore.open(layout.data(digest), layout.present(digest), table, cache, buffers);
        LayerBlob blob = sources.blob(stored.reference(), digest, stored.size(), settings.fetchTimeout());
        // What is in no registry comes from the content stores.
        String source = stored.reference().registry().map(Reference::host).orElse("");
        return new LayerContent(
                index,
                table,
                store,
                blob,
                stored.format().compression(),
                traffic,
                fetchers.to(source),
                memory,
                buffers);
    }

    private Resolved found(CallContext context, LayerSource source) throws InterruptedException {
        try {
            return lazily(context, source);
        } catch (ContainerdException | IOException e) {
            log.atDebug().addKeyValue("layer", source.digest()).setCause(e).log("layer cannot be read lazily");
            return new Ordinary(String.valueOf(e.getMessage()));
        }
    }

    private Resolved lazily(CallContext context, LayerSource source) throws IOException, InterruptedException {
        Digest digest = source.digest();
        if (source.toc() instanceof TocVerification.Absent && !settings.allowNoVerification()) {
            return new Ordinary(
                    "the layer has no digest of a table of contents: it is no eStargz, or was made without one");
        }
        probesAhead.begin(source, this::isHere);
        Files.createDirectories(layout.layer(digest));
        try {
            Optional<Probed.Found> known = probesAhead.take(context, source, layout.index(digest));
            Probed probed = known.isPresent()
                    ? known.get()
                    : probe.probe(context, source.reference(), digest, source.toc(), layout.index(digest));
            return switch (probed) {
                case Probed.Unfit(String reason) -> new Ordinary(reason);
                case Probed.Found found
                when !found.verifiable() && !settings.allowNoVerification() ->
                    new Ordinary("the layer's table of contents has no digests of the files' parts");
                case Probed.Found found -> new Lazy(begin(digest, found, source.prefetch()));
            };
        } finally {
            if (!layers.containsKey(digest)) {
                delete(layout.layer(digest));
            }
        }
    }

    private boolean isHere(Digest digest) {
        return layers.containsKey(digest) || resolving.containsKey(digest) || Files.exists(layout.record(digest));
    }

    private Layer begin(Digest digest, Probed.Found found, OptionalLong prefetch) throws IOException {
        LayerRecord stored = new LayerRecord(
                found.reference(),
                found.size(),
                found.format(),
                found.toc().digest(),
                Optional.of(found.toc().compressed()));
        Layer layer = ready(digest, stored, prefetch.orElse(settings.prefetchSize()));
        try {
            DurableFiles.write(layout.record(digest), stored.encode());
            DurableFiles.syncFolder(layout.root());
        } catch (IOException e) {
            layers.remove(digest);
            layer.close();
            throw e;
        }
        log.atInfo()
                .addKeyValue("layer", digest)
                .addKeyValue("image", found.reference())
                .addKeyValue("entries", found.toc().entries())
                .addKeyValue("bytes", found.size())
                .log("layer is read lazily");
        return layer;
    }

    /** Forgets a layer that nobody uses any more, with all that is stored of it. */
    public void remove(Digest digest) throws IOException {
        Layer layer = layers.remove(digest);
        if (layer != null) {
            ahead.remove(layer);
            images.forget(layer);
            layer.close();
        }
        delete(layout.layer(digest));
    }

    private void delete(Path folder) throws IOException {
        // The record first: what is left by a crash is rubbish then.
        Files.deleteIfExists(folder.resolve("layer.json"));
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException e) {
            return;
        }
        Files.deleteIfExists(folder);
    }

    /**
     * Whether all chunks stay. For the start: what the kernel reads of the files of a layer is known when the last of its mounts has been
     * taken over.
     */
    public void keepChunks(boolean all) {
        cache.hold(all);
    }

    /** Removes what is stored of layers other than these. For the start, before any other is asked for. */
    public void keepOnly(Set<Digest> used) throws IOException {
        Set<Path> kept = Set.copyOf(used.stream().map(layout::layer).toList());
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(layout.root())) {
            for (Path folder : folders) {
                if (!kept.contains(folder)) {
                    delete(folder);
                }
            }
        }
    }

    /** Stops to fetch. What is mounted is for the next process to go on with. */
    @Override
    public void close() throws IOException {
        probesAhead.close();
        ahead.close();
        fetchers.close();
        for (Layer layer : layers.values()) {
            layer.files().close(); // not the index: who reads gets an answer until the process ends
        }
        layers.clear();
    }
}
