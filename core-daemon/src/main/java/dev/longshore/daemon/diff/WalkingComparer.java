package dev.longshore.daemon.diff;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.TarWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Makes layers by walking both trees side by side. */
public final class WalkingComparer implements Comparer {

    private static final String UNCOMPRESSED = "containerd.io/uncompressed";
    private static final int BUFFER = 256 << 10;

    private final ContentStore content;
    private final Path scratch;

    /** @param scratch where mounts are made */
    public WalkingComparer(ContentStore content, Path scratch) {
        this.content = content;
        this.scratch = scratch;
    }

    @Override
    public Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options) {
        String mediaType = options.mediaType().isEmpty() ? MediaTypes.OCI_LAYER_GZIP : options.mediaType();
        Compression compression = switch (mediaType) {
            case MediaTypes.OCI_LAYER, MediaTypes.DOCKER_LAYER -> Compression.NONE;
            case MediaTypes.OCI_LAYER_GZIP, MediaTypes.DOCKER_LAYER_GZIP -> Compression.GZIP;
            case MediaTypes.OCI_LAYER_ZSTD, MediaTypes.DOCKER_LAYER_ZSTD -> Compression.ZSTD;
            default ->
                throw new UnimplementedException("layers of media type \"%s\" cannot be made".formatted(mediaType));
        };
        String ref = options.ref().isEmpty() ? "diff-" + UUID.randomUUID() : options.ref();
        try (ContentWriter writer = content.writer(context, new WriterRequest(ref, 0, Optional.empty()))) {
            writer.truncate(0);
            MessageDigest plain = Digest.digester("sha256");
            Mounts.withTempMount(
                    Mounts.readOnly(lower),
                    scratch,
                    below -> Mounts.withTempMount(Mounts.readOnly(upper), scratch, above -> {
                        write(below, above, options, compression, plain, writer);
                        return true;
                    }));
            return commit(context, writer, mediaType, compression, Digest.of("sha256", plain), options.labels());
        } catch (IOException e) {
            throw new UncheckedIOException(new IOException("a layer cannot be made: " + e.getMessage(), e));
        }
    }

    private static void write(
            Path lower,
            Path upper,
            CompareOptions options,
            Compression compression,
            MessageDigest plain,
            ContentWriter writer)
            throws IOException {
        try (OutputStream compressed = compression.compress(new IngestStream(writer));
                TarWriter archive = new TarWriter(new DigestOutputStream(compressed, plain));
                LayerSource source = new LayerSource(lower, upper, options.sourceDateEpoch(), archive)) {
            source.write();
        }
    }

    private Descriptor commit(
            CallContext context,
            ContentWriter writer,
            String mediaType,
            Compression compression,
            Digest plain,
            Map<String, String> wanted) {
        Map<String, String> labels = new HashMap<>(wanted);
        if (compression != Compression.NONE) {
            labels.put(UNCOMPRESSED, plain.toString());
        }
        long size = writer.status().offset();
        Digest digest = writer.digest();
        try {
            writer.commit(size, Optional.of(digest), labels);
        } catch (AlreadyExistsException e) {
            // Made before, or pulled, and perhaps without these labels.
            label(context, digest, labels);
        }
        return new Descriptor(mediaType, digest, size, Map.of(UNCOMPRESSED, plain.toString()));
    }

    private void label(CallContext context, Digest digest, Map<String, String> labels) {
        if (labels.isEmpty()) {
            return; // no fields would mean all of them
        }
        ContentInfo there = content.info(context, digest);
        content.update(
                context,
                new ContentInfo(digest, there.size(), there.created(), there.updated(), labels),
                labels.keySet().stream().map(key -> "labels." + key).toList());
    }

    /** Bytes into an ingest, in pieces worth a call. */
    private static final class IngestStream extends OutputStream {

        private final ContentWriter writer;
        private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER);

        IngestStream(ContentWriter writer) {
            this.writer = writer;
        }

        @Override
        public void write(int b) {
            if (!buffer.hasRemaining()) {
                flush();
            }
            buffer.put((byte) b);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            for (int at = 0; at < length; ) {
                if (!buffer.hasRemaining()) {
                    flush();
                }
                int count = Math.min(buffer.remaining(), length - at);
                buffer.put(bytes, offset + at, count);
                at += count;
            }
        }

        @Override
        public void flush() {
            buffer.flip();
            writer.write(buffer);
            buffer.clear();
        }

        @Override
        public void close() {
            flush();
        }
    }
}
