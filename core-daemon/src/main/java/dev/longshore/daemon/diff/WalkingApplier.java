package dev.longshore.daemon.diff;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.compress.CompressionException;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarFormatException;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Applies layers that are tar archives, plain or compressed with gzip or zstd. */
public final class WalkingApplier implements Applier {

    private static final int READ = 1 << 20;
    private static final String OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    private static final String DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar";

    private final ContentStore content;
    private final Path scratch;

    /** @param scratch where mounts are made */
    public WalkingApplier(ContentStore content, Path scratch) {
        this.content = content;
        this.scratch = scratch;
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        boolean compressed = mayBeCompressed(layer);
        try (ContentReader blob = content.reader(context, layer.digest())) {
            if (layer.size() > 0 && layer.size() != blob.size()) {
                throw new InvalidArgumentException("it has %d bytes, and its descriptor says %d: one of them is damaged"
                        .formatted(blob.size(), layer.size()));
            }
            Layer from = new Layer(blob, compressed, syncFileSystem);
            Optional<LayerTarget> overlay = LayerTarget.overlay(mounts);
            return overlay.isPresent()
                    ? from.apply(overlay.get())
                    : Mounts.withTempMount(mounts, scratch, root -> from.apply(LayerTarget.plain(root)));
        } catch (TarFormatException | CompressionException e) {
            throw new InvalidArgumentException(
                    "layer %s cannot be read: %s".formatted(layer.digest(), e.getMessage()), e);
        } catch (InvalidArgumentException e) {
            throw new InvalidArgumentException(
                    "layer %s cannot be applied: %s".formatted(layer.digest(), e.getMessage()), e);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    new IOException("layer %s cannot be applied: %s".formatted(layer.digest(), e.getMessage()), e));
        }
    }

    /** What to apply. */
    private record Layer(ContentReader blob, boolean compressed, boolean syncFileSystem) {

        Descriptor apply(LayerTarget target) throws IOException {
            BlobStream stream = new BlobStream(blob);
            try (InputStream plain = compressed ? Compression.decompress(stream) : stream;
                    ReadAhead ahead = new ReadAhead(plain, Digest.digester("sha256"));
                    LayerWriter writer = new LayerWriter(target)) {
                TarReader archive = new TarReader(ahead, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
                for (Optional<TarEntry> entry = archive.next(); entry.isPresent(); entry = archive.next()) {
                    writer.write(entry.get(), archive);
                }
                // What is behind the archive's end belongs to the digest all the same.
                ahead.transferTo(OutputStream.nullOutputStream());
                writer.finish();
                if (syncFileSystem) {
                    try (Folder root = Folder.open(target.root())) {
                        root.syncFileSystem();
                    }
                }
                Digest diffId = new Digest("sha256", HexFormat.of().formatHex(ahead.digest()));
                return new Descriptor(MediaTypes.OCI_LAYER, diffId, ahead.size());
            }
        }
    }

    /**
     * Whether a layer's first bytes say how it is compressed. As in containerd, OCI's plain types are believed, and Docker's are
     * not: its clients have labeled compressed layers with them.
     *
     * @throws UnimplementedException if it is no layer that is applied here
     */
    private static boolean mayBeCompressed(Descriptor layer) {
        return switch (layer.mediaType()) {
            case MediaTypes.OCI_LAYER, OCI_NONDISTRIBUTABLE -> false;
            case MediaTypes.OCI_LAYER_GZIP,
                    MediaTypes.OCI_LAYER_ZSTD,
                    OCI_NONDISTRIBUTABLE + "+gzip",
                    OCI_NONDISTRIBUTABLE + "+zstd",
                    MediaTypes.DOCKER_LAYER,
                    MediaTypes.DOCKER_LAYER_GZIP,
                    MediaTypes.DOCKER_LAYER_ZSTD,
                    DOCKER_FOREIGN,
                    DOCKER_FOREIGN + ".gzip",
                    DOCKER_FOREIGN + ".zstd" -> true;
            default ->
                throw new UnimplementedException("media type \"%s\" of layer %s is none that can be applied"
                        .formatted(layer.mediaType(), layer.digest()));
        };
    }

    /** A blob from front to back. */
    private static final class BlobStream extends InputStream {

        private final ContentReader blob;
        private final ByteBuffer buffer = ByteBuffer.allocate(READ).limit(0);
        private long position;

        BlobStream(ContentReader blob) {
            this.blob = blob;
        }

        private boolean fill() {
            if (buffer.hasRemaining()) {
                return true;
            }
            buffer.clear();
            int count = blob.read(buffer, position);
            buffer.flip();
            position += Math.max(0, count);
            return count > 0;
        }

        @Override
        public int read() {
            return fill() ? buffer.get() & 0xff : -1;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            if (length == 0) {
                return 0;
            }
            if (!fill()) {
                return -1;
            }
            int count = Math.min(length, buffer.remaining());
            buffer.get(bytes, offset, count);
            return count;
        }
    }
}
