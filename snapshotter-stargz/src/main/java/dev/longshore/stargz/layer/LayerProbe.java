package dev.longshore.stargz.layer;

import dev.longshore.estargz.BlobReader;
import dev.longshore.estargz.Footer;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.Toc;
import dev.longshore.estargz.TocLimits;
import dev.longshore.estargz.TocReader;
import dev.longshore.estargz.TocVerification;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.stargz.index.IndexBuilder;
import dev.longshore.stargz.index.IndexLimits;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds out whether a layer can be read lazily, and packs its table of contents. Safe for use by many threads. */
final class LayerProbe {

    private static final Logger log = LoggerFactory.getLogger(LayerProbe.class);

    /** Bytes of a layer's end that are fetched first: the footer, and the whole table of contents of a small layer. */
    private static final int TAIL = 48 << 10;

    /**
     * What a layer may ask of the memory of a program that serves many: a quarter of a million entries, beside the compressed table, and
     * chunks of 16 MiB (4 MiB is what converters make).
     */
    private static final int MAX_ENTRIES = 250_000;

    private static final IndexLimits INDEX_LIMITS = new IndexLimits(MAX_ENTRIES, 64 << 20, 16L << 20);

    private static final TocLimits TOC_LIMITS = new TocLimits(24L << 20, 512L << 20, MAX_ENTRIES, 128 << 10, 16L << 20);

    private final BlobSources sources;
    private final Traffic traffic;
    private final TocReader tocs = new TocReader(TOC_LIMITS);
    private final TocGate gate = new TocGate();
    private final TocImages tocImages;

    LayerProbe(BlobSources sources, Traffic traffic) {
        this.sources = sources;
        this.tocImages = new TocImages(sources.registry());
        this.traffic = traffic;
    }

    /** What came of it. */
    sealed interface Probed {

        /**
         * The layer's index is written.
         *
         * @param size bytes of the blob
         * @param verifiable whether each part of each file has a digest
         */
        record Found(ImageName reference, long size, LayerFormat format, Toc toc, boolean verifiable)
                implements Probed {}

        /** @param reason why it must be fetched whole, for a person */
        record Unfit(String reason) implements Probed {}
    }

    /**
     * Asks the content stores, in their order, and then the registry, if the image has one, until one has a layer that can be read lazily.
     *
     * @param index written durably, if the layer can be read lazily; its folder is there
     */
    Probed probe(CallContext context, ImageName image, Digest digest, TocVerification promise, Path index)
            throws InterruptedException {
        Probed.Unfit why = new Probed.Unfit(
                "its image is in no registry, and no content store is configured that may have it: name one with [content.NAME]");
        for (ContentSource store : sources.stores()) {
            switch (attempt(digest, () -> inStore(context, image, digest, promise, store, index))) {
                case Probed.Found found -> {
                    return found;
                }
                case Probed.Unfit unfit -> why = unfit;
            }
        }
        Optional<Reference> reference = image.registry();
        return reference.isEmpty()
                ? why
                : attempt(digest, () -> inRegistry(context, image, reference.get(), digest, promise, index));
    }

    private interface Attempt {
        Probed run() throws IOException, InterruptedException;
    }

    private static Probed attempt(Digest digest, Attempt attempt) throws InterruptedException {
        try {
            return attempt.run();
        } catch (ContainerdException | IOException e) {
            log.atDebug().addKeyValue("layer", digest).setCause(e).log("layer cannot be read lazily");
            return new Probed.Unfit(String.valueOf(e.getMessage()));
        }
    }

    private Probed inStore(
            CallContext context,
            ImageName image,
            Digest digest,
            TocVerification promise,
            ContentSource store,
            Path index)
            throws IOException, InterruptedException {
        try (ContentBlob blob = ContentBlob.open(store, digest)) {
            ByteBuffer tail = ByteBuffer.allocate((int) Math.min(TAIL, blob.size()));
            traffic.request();
            blob.readFully(blob.size() - tail.capacity(), tail);
            traffic.fetched(Traffic.Purpose.ON_DEMAND, tail.capacity());
            return read(context, image, digest, promise, new TailedBlob(blob, tail.flip(), traffic), index);
        }
    }

    private Probed inRegistry(
            CallContext context,
            ImageName image,
            Reference reference,
            Digest digest,
            TocVerification promise,
            Path index)
            throws IOException, InterruptedException {
        traffic.request();
        Registry.Tail tail;
        try {
            tail = sources.registry().tail(context, reference, digest, TAIL);
        } catch (NotFoundException e) {
            return new Probed.Unfit("the registry does not have the layer: " + e.getMessage());
        }
        if (!tail.ranged()) {
            return new Probed.Unfit("the registry answers requests for parts of a layer with all of it");
        }
        traffic.fetched(Traffic.Purpose.ON_DEMAND, tail.bytes().remaining());
        RemoteBlob blob = new RemoteBlob(
                sources.registry(),
                reference,
                digest,
                tail.size(),
                context.deadline().remaining());
        return read(context, image, digest, promise, new TailedBlob(blob, tail.bytes(), traffic), index);
    }

    /** Of the checks: sizes, the footer's form, what the table is promised to be, the table, each of its entries. */
    private Probed read(
            CallContext context, ImageName image, Digest digest, TocVerification promise, TailedBlob blob, Path index)
            throws IOException, InterruptedException {
        Optional<Footer> footer = Footer.read(blob);
        if (footer.isEmpty()) {
            return new Probed.Unfit(
                    "the layer is neither eStargz nor zstd:chunked: it has no footer that says where its table is");
        }
        Optional<BlobReader> external = Optional.empty();
        if (footer.get().format() == LayerFormat.EXTERNAL_TOC) {
            Reference reference = image.registry()
                    .orElseThrow(() -> new NotFoundException(
                            "its table of contents is in an image of its own, of which %s does not say where it is"
                                    .formatted(image)));
            external = Optional.of(tocImages.find(context, reference, digest));
        }
        Toc toc = pack(context, digest, promise, blob, footer.get(), external, index);
        try (LayerIndex packed = LayerIndex.open(index)) {
            return new Probed.Found(image, blob.size(), footer.get().format(), toc, packed.verifiable());
        }
    }

    /** @param external if the table is not in {@code blob} */
    private Toc pack(
            CallContext context,
            Digest digest,
            TocVerification promise,
            BlobReader blob,
            Footer footer,
            Optional<BlobReader> external,
            Path index)
            throws IOException, InterruptedException {
        try (TocGate.Place place = gate.enter(context.deadline())) {
            IndexBuilder builder = new IndexBuilder(footer.payloadEnd(), INDEX_LIMITS);
            TocReader.Sink sink = entry -> {
                place.count(entry);
                builder.add(entry);
            };
            Toc toc = external.isPresent()
                    ? tocs.readExternal(external.get(), footer, promise, sink)
                    : tocs.read(blob, footer, promise, sink);
            external.ifPresent(read -> {
                traffic.request();
                traffic.fetched(Traffic.Purpose.ON_DEMAND, read.size());
            });
            context.deadline().check("reading the table of contents of layer " + digest);
            builder.finish(index);
            return toc;
        }
    }
}
