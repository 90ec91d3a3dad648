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
import dev.longshore.sdk.oci.Reference;
import dev.longshore.stargz.index.IndexBuilder;
import dev.longshore.stargz.index.IndexLimits;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Asks a registry whether a layer can be read lazily, and packs its table of contents. Safe for use by many threads. */
final class LayerProbe {

    /** Bytes of a layer's end that are fetched first: the footer, and the whole table of contents of a small layer. */
    private static final int TAIL = 48 << 10;

    /**
     * What a layer may ask of the memory of a program that serves many: half a million entries, chunks of 16 MiB (4 MiB is what
     * converters make).
     */
    private static final IndexLimits INDEX_LIMITS = new IndexLimits(500_000, 64 << 20, 16L << 20);

    private static final TocLimits TOC_LIMITS = new TocLimits(32L << 20, 512L << 20, 500_000, 128 << 10, 16L << 20);

    private final Registry registry;
    private final Traffic traffic;
    private final TocReader tocs = new TocReader(TOC_LIMITS);
    private final TocGate gate = new TocGate();

    LayerProbe(Registry registry, Traffic traffic) {
        this.registry = registry;
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
        record Found(Reference reference, long size, LayerFormat format, Toc toc, boolean verifiable)
                implements Probed {}

        /** @param reason why it must be fetched whole, for a person */
        record Unfit(String reason) implements Probed {}
    }

    /**
     * Of the checks: sizes, the footer's form, what the table is promised to be, the table, each of its entries.
     *
     * @param index written durably, if the layer can be read lazily; its folder is there
     */
    Probed probe(CallContext context, Reference reference, Digest digest, TocVerification promise, Path index)
            throws IOException, InterruptedException {
        traffic.request();
        Registry.Tail tail = registry.tail(context, reference, digest, TAIL);
        if (!tail.ranged()) {
            return new Probed.Unfit("the registry answers requests for parts of a layer with all of it");
        }
        traffic.fetched(Traffic.Purpose.ON_DEMAND, tail.bytes().remaining());
        TailedBlob blob = new TailedBlob(
                new RemoteBlob(
                        registry,
                        reference,
                        digest,
                        tail.size(),
                        context.deadline().remaining()),
                tail.bytes(),
                traffic);
        Optional<Footer> footer = Footer.read(blob);
        if (footer.isEmpty()) {
            return new Probed.Unfit(
                    "the layer is neither eStargz nor zstd:chunked: it has no footer that says where its table is");
        }
        if (footer.get().format() == LayerFormat.EXTERNAL_TOC) {
            return new Probed.Unfit("the layer's table of contents is in an image of its own, which is not supported");
        }
        Toc toc = pack(context, digest, promise, blob, footer.get(), index);
        try (LayerIndex packed = LayerIndex.open(index)) {
            return new Probed.Found(reference, tail.size(), footer.get().format(), toc, packed.verifiable());
        }
    }

    private Toc pack(
            CallContext context, Digest digest, TocVerification promise, BlobReader blob, Footer footer, Path index)
            throws IOException, InterruptedException {
        try (TocGate.Place place = gate.enter(context.deadline())) {
            IndexBuilder builder = new IndexBuilder(footer.payloadEnd(), INDEX_LIMITS);
            Toc toc = tocs.read(blob, footer, promise, entry -> {
                place.count(entry);
                builder.add(entry);
            });
            context.deadline().check("reading the table of contents of layer " + digest);
            builder.finish(index);
            return toc;
        }
    }
}
