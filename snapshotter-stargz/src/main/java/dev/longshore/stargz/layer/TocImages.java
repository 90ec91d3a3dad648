package dev.longshore.stargz.layer;

import dev.longshore.estargz.BlobReader;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.Reference;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tables of contents that are in an image of their own, as {@code ctr-remote --estargz-external-toc} makes it: named as the layer's image
 * with {@code -esgztoc} behind the tag, each of its layers being the table of the layer that an annotation names. Nothing here is
 * believed: a table is held to the digest that the layer's own image promises. Safe for use by many threads.
 *
 * @see <a href="https://github.com/containerd/stargz-snapshotter/blob/main/docs/smaller-estargz.md">smaller eStargz</a>
 */
final class TocImages {

    private static final Logger log = LoggerFactory.getLogger(TocImages.class);

    private static final String SUFFIX = "-esgztoc";
    private static final String LAYER = "containerd.io/snapshot/stargz/layer.digest";

    /** Manifests of one image that are looked into: makers of such images put all tables in one. */
    private static final int MAX_MANIFESTS = 16;

    /** Images that are remembered: a client asks for one layer of an image after another. */
    private static final int MAX_KNOWN = 32;

    private static final Duration KNOWN = Duration.ofMinutes(1);

    private final Registry registry;
    private final ReentrantLock lock = new ReentrantLock();

    /** Guarded by {@code lock}; the oldest first. */
    private final LinkedHashMap<Reference, Tables> known = new LinkedHashMap<>();

    /** The tables of an image by their layers. */
    private record Tables(Map<Digest, Descriptor> byLayer, long readAt) {

        Tables {
            byLayer = Map.copyOf(byLayer);
        }

        boolean isOld() {
            return System.nanoTime() - readAt > KNOWN.toNanos();
        }
    }

    TocImages(Registry registry) {
        this.registry = registry;
    }

    /**
     * The compressed table of a layer.
     *
     * @param image that the layer is of
     * @throws NotFoundException if there is none, or no image with it
     */
    BlobReader find(CallContext context, Reference image, Digest layer) throws IOException, InterruptedException {
        Reference reference = named(image);
        Descriptor table = tables(context, reference).byLayer.get(layer);
        if (table == null) {
            throw new NotFoundException("image %s has no table of contents of layer %s".formatted(reference, layer));
        }
        return new RemoteBlob(
                registry,
                reference,
                table.digest(),
                table.size(),
                context.deadline().remaining());
    }

    private static Reference named(Reference image) {
        String tag = image.tag()
                .orElseThrow(() -> new NotFoundException(
                        "%s has no tag, by which the image with its tables of contents would be named"
                                .formatted(image)));
        return new Reference(image.host(), image.repository(), Optional.of(tag + SUFFIX), Optional.empty());
    }

    private Tables tables(CallContext context, Reference reference) throws IOException, InterruptedException {
        lock.lock();
        try {
            Tables tables = known.get(reference);
            if (tables != null && !tables.isOld()) {
                return tables;
            }
        } finally {
            lock.unlock();
        }
        Tables read = read(context, reference);
        lock.lock();
        try {
            known.remove(reference);
            known.put(reference, read);
            if (known.size() > MAX_KNOWN) {
                known.pollFirstEntry();
            }
        } finally {
            lock.unlock();
        }
        return read;
    }

    private Tables read(CallContext context, Reference reference) throws IOException, InterruptedException {
        Map<Digest, Descriptor> byLayer = new HashMap<>();
        Queue<Descriptor> documents = new ArrayDeque<>();
        try {
            documents.add(registry.resolve(context, reference));
        } catch (NotFoundException e) {
            throw new NotFoundException(
                    "the layer's table of contents is in an image of its own, %s, which is not there: %s"
                            .formatted(reference, e.getMessage()),
                    e);
        }
        for (int read = 0; !documents.isEmpty() && read < MAX_MANIFESTS; read++) {
            Descriptor document = documents.remove();
            byte[] bytes = bytes(context, reference, document);
            String what = "manifest %s of %s".formatted(document.digest(), reference);
            if (Manifests.isIndex(document.mediaType())) {
                Manifests.index(bytes, what).stream().map(Manifests::descriptor).forEach(documents::add);
            } else {
                for (Descriptor table : Manifests.manifest(bytes, what).layers()) {
                    String layer = table.annotations().getOrDefault(LAYER, "");
                    if (!layer.isEmpty()) {
                        byLayer.putIfAbsent(Digest.parse(layer), table);
                    }
                }
            }
        }
        log.atDebug()
                .addKeyValue("image", reference)
                .addKeyValue("tables", byLayer.size())
                .log("tables of contents found");
        return new Tables(byLayer, System.nanoTime());
    }

    private byte[] bytes(CallContext context, Reference reference, Descriptor document)
            throws IOException, InterruptedException {
        if (document.size() > Registry.MAX_MANIFEST) {
            throw new InvalidArgumentException("manifest %s of %s is said to have %d bytes, the limit is %d"
                    .formatted(document.digest(), reference, document.size(), Registry.MAX_MANIFEST));
        }
        byte[] bytes;
        try (InputStream in = registry.fetch(context, reference, document, List.of(), 0)) {
            bytes = in.readAllBytes();
        }
        MessageDigest digester = document.digest().digester();
        digester.update(bytes);
        if (!Digest.of(document.digest().algorithm(), digester).equals(document.digest())) {
            throw new DataLossException(
                    "manifest %s of %s came with other bytes".formatted(document.digest(), reference));
        }
        return bytes;
    }
}
