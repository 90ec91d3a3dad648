package dev.longshore.daemon.diff;

import dev.longshore.sdk.compress.Compression;
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
import java.io.EOFException;
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
import java.util.zip.ZipException;

/** Applies layers that are tar archives, plain or compressed with gzip or zstd. */
public final class WalkingApplier implements Applier {

    private static final int READ = 1 << 20;

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
        if (!isLayer(layer.mediaType())) {
            throw new UnimplementedException("media type \"%s\" of layer %s is none that can be applied"
                    .formatted(layer.mediaType(), layer.digest()));
        }
        try (ContentReader blob = content.reader(context, layer.digest())) {
            Optional<LayerTarget> overlay = LayerTarget.overlay(mounts);
            return overlay.isPresent()
                    ? apply(blob, overlay.get(), syncFileSystem)
                    : Mounts.withTempMount(
                            mounts, scratch, root -> apply(blob, LayerTarget.plain(root), syncFileSystem));
        } catch (TarFormatException | ZipException | EOFException e) {
            throw new InvalidArgumentException(
                    "layer %s cannot be read: %s".formatted(layer.digest(), e.getMessage()), e);
        } catch (IOException e) {
            throw new UncheckedIOException("applying layer %s: %s".formatted(layer.digest(), e.getMessage()), e);
        }
    }

    private static Descriptor apply(ContentReader blob, LayerTarget target, boolean syncFileSystem) throws IOException {
        try (InputStream plain = Compression.decompress(new BlobStream(blob));
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
            return new Descriptor(
                    MediaTypes.OCI_LAYER, new Digest("sha256", HexFormat.of().formatHex(ahead.digest())), ahead.size());
        }
    }

    /** Tar, by its name or its suffix, of OCI or Docker, distributable or not. */
    private static boolean isLayer(String mediaType) {
        String plain = mediaType;
        for (String suffix : List.of("+gzip", "+zstd", ".gzip", ".zstd")) {
            if (plain.endsWith(suffix)) {
                plain = plain.substring(0, plain.length() - suffix.length());
                break;
            }
        }
        return plain.equals(MediaTypes.OCI_LAYER)
                || plain.equals("application/vnd.oci.image.layer.nondistributable.v1.tar")
                || plain.equals(MediaTypes.DOCKER_LAYER)
                || plain.equals("application/vnd.docker.image.rootfs.foreign.diff.tar");
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
