package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.Segment;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Makes a layer that can be read a chunk at a time out of an archive. Each chunk of a file begins a compressed stream; what
 * is behind it up to the next one, the padding and headers of the archive, is in the same. Put one behind the other they are
 * the compressed archive that any runtime unpacks. The same archive and options make the same bytes, on any number of
 * threads.
 *
 * <p>Headers are written anew, in POSIX pax; what the archive had behind its end is not kept. Holes of sparse files become
 * zeros. All digests are computed in the one pass.
 */
public final class LayerWriter {

    private static final int COPY_BYTES = 64 << 10;

    private final LayerFormat format;
    private final LayerOptions options;

    /** @param format {@link LayerFormat#ESTARGZ} or {@link LayerFormat#ZSTD_CHUNKED} */
    public LayerWriter(LayerFormat format, LayerOptions options) {
        if (format != LayerFormat.ESTARGZ && format != LayerFormat.ZSTD_CHUNKED) {
            throw new IllegalArgumentException("layers of format %s are only read".formatted(format));
        }
        this.format = format;
        this.options = options;
    }

    /**
     * Writes the layer to {@code out}, which stays open.
     *
     * @param archive uncompressed tar; read twice, from its first byte
     * @throws LayerFormatException if the format cannot say something that the archive has
     */
    public WrittenLayer write(FileChannel archive, OutputStream out) throws IOException {
        List<String> missed = new ArrayList<>();
        List<SourceArchive.Source> sources = SourceArchive.read(archive).ordered(options.prioritized(), missed);
        BlobStream blob = new BlobStream(out);
        Supplier<StreamCompressor> compressors = () -> format == LayerFormat.ESTARGZ
                ? new GzipCompressor(options.level())
                : new ZstdCompressor(options.level());
        try (StreamPipeline pipeline = new StreamPipeline(blob, compressors, options.threads())) {
            StretchStream stretches = new StretchStream(pipeline, options.chunkBytes() + COPY_BYTES);
            TarWriter tar = new TarWriter(stretches);
            TocBuilder toc = new TocBuilder();
            for (SourceArchive.Source source : sources) {
                write(source, archive, tar, stretches, toc);
            }
            return format == LayerFormat.ESTARGZ
                    ? endWithEntry(toc, tar, stretches, pipeline, blob, missed)
                    : endWithFrame(toc, tar, stretches, pipeline, blob, missed);
        }
    }

    private void write(
            SourceArchive.Source source, FileChannel archive, TarWriter tar, StretchStream stretches, TocBuilder toc)
            throws IOException {
        TarEntry entry = source.entry();
        tar.write(entry);
        if (entry.type() != EntryType.FILE) {
            toc.add(entry, Optional.empty(), List.of());
            return;
        }
        MessageDigest whole = Digest.digester("sha256");
        List<TocBuilder.Chunk> chunks = new ArrayList<>();
        FileContent content = new FileContent(source, archive);
        byte[] buffer = new byte[(int) Math.min(options.chunkBytes(), entry.size())];
        for (long at = 0; at < entry.size(); ) {
            int length = (int) Math.min(buffer.length, entry.size() - at);
            content.read(buffer, length);
            int stream = stretches.cut();
            tar.content(buffer, 0, length);
            whole.update(buffer, 0, length);
            boolean last = at + length == entry.size();
            chunks.add(new TocBuilder.Chunk(stream, at, last ? 0 : length, digest(buffer, length)));
            at += length;
        }
        tar.endContent(entry.size());
        toc.add(entry, Optional.of(Digest.of("sha256", whole)), chunks);
    }

    private static Digest digest(byte[] bytes, int length) {
        MessageDigest digester = Digest.digester("sha256");
        digester.update(bytes, 0, length);
        return Digest.of("sha256", digester);
    }

    /** The content of one file, with its holes. */
    private static final class FileContent {

        private final SourceArchive.Source source;
        private final FileChannel archive;
        private long position;
        private int segment;
        /** Where in the archive the segment's bytes begin. */
        private long stored;

        FileContent(SourceArchive.Source source, FileChannel archive) {
            this.source = source;
            this.archive = archive;
            this.stored = source.contentAt();
        }

        /** Fills the first {@code length} bytes of {@code to}. */
        void read(byte[] to, int length) throws IOException {
            if (source.contentAt() < 0) {
                to[0] = SourceArchive.LANDMARK_CONTENT;
                return;
            }
            List<Segment> segments = source.segments();
            for (int at = 0; at < length; ) {
                if (segment == segments.size()) {
                    Arrays.fill(to, at, length, (byte) 0);
                    position += length - at;
                    return;
                }
                Segment next = segments.get(segment);
                if (position < next.offset()) {
                    int hole = (int) Math.min(length - at, next.offset() - position);
                    Arrays.fill(to, at, at + hole, (byte) 0);
                    at += hole;
                    position += hole;
                } else if (position < next.offset() + next.length()) {
                    int count = (int) Math.min(length - at, next.offset() + next.length() - position);
                    readStored(stored + position - next.offset(), ByteBuffer.wrap(to, at, count));
                    at += count;
                    position += count;
                } else {
                    stored += next.length();
                    segment++;
                }
            }
        }

        private void readStored(long from, ByteBuffer to) throws IOException {
            long at = from;
            while (to.hasRemaining()) {
                int count = archive.read(to, at);
                if (count < 0) {
                    throw new EOFException("the archive became shorter while it was read");
                }
                at += count;
            }
        }
    }

    /** The TOC of eStargz is the archive's last entry, in a stream of its own; then the footer. */
    private WrittenLayer endWithEntry(
            TocBuilder toc,
            TarWriter tar,
            StretchStream stretches,
            StreamPipeline pipeline,
            BlobStream blob,
            List<String> missed)
            throws IOException {
        stretches.cutForWhole();
        pipeline.finish();
        long offset = pipeline.written();
        byte[] json = toc.json(pipeline::offset);
        tar.write(TarEntry.builder(EntryType.FILE, Landmarks.TOC)
                .size(json.length)
                .mode(0444)
                .build());
        tar.content(json, 0, json.length);
        tar.endContent(json.length);
        tar.close();
        stretches.cut();
        pipeline.finish();
        blob.write(gzipFooter(offset));
        return written(blob, stretches, json, missed, Map.of());
    }

    private static byte[] gzipFooter(long offset) {
        byte[] text = "%016xSTARGZ".formatted(offset).getBytes(StandardCharsets.US_ASCII);
        ByteBuffer footer = ByteBuffer.allocate(51).order(ByteOrder.LITTLE_ENDIAN);
        footer.put(new byte[] {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, (byte) 255});
        footer.putShort((short) (text.length + 4));
        footer.put((byte) 'S').put((byte) 'G').putShort((short) text.length).put(text);
        footer.put(new byte[] {1, 0, 0, (byte) 0xff, (byte) 0xff}); // a last, stored block without bytes
        return footer.array(); // checksum and length are 0
    }

    /** The TOC of zstd:chunked is in a skippable frame behind the archive, the footer in another. */
    private WrittenLayer endWithFrame(
            TocBuilder toc,
            TarWriter tar,
            StretchStream stretches,
            StreamPipeline pipeline,
            BlobStream blob,
            List<String> missed)
            throws IOException {
        tar.close();
        stretches.cut();
        pipeline.finish();
        byte[] json = toc.json(pipeline::offset);
        byte[] compressed;
        try (StreamCompressor compressor = new ZstdCompressor(options.level())) {
            compressed = compressor.compress(json, json.length);
        }
        long offset = pipeline.written() + FRAME_HEADER;
        blob.write(frame(compressed));
        blob.write(frame(ByteBuffer.allocate(40)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(offset)
                .putLong(compressed.length)
                .putLong(json.length)
                .putLong(1) // the type of CRFS
                .put("GnUlInUx".getBytes(StandardCharsets.US_ASCII))
                .array()));
        return written(
                blob,
                stretches,
                json,
                missed,
                Map.of(
                        Annotations.STARGZ_ZSTD_CHECKSUM,
                        Digest.sha256(compressed).toString(),
                        Annotations.STARGZ_ZSTD_POSITION,
                        "%d:%d:%d:1".formatted(offset, compressed.length, json.length)));
    }

    private static final int FRAME_HEADER = 8;

    private static byte[] frame(byte[] payload) {
        return ByteBuffer.allocate(FRAME_HEADER + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x184D2A50)
                .putInt(payload.length)
                .put(payload)
                .array();
    }

    private static WrittenLayer written(
            BlobStream blob, StretchStream stretches, byte[] json, List<String> missed, Map<String, String> more) {
        Map<String, String> annotations = new HashMap<>(more);
        annotations.put(Annotations.TOC_DIGEST, Digest.sha256(json).toString());
        annotations.put(Annotations.UNCOMPRESSED_SIZE, Long.toString(stretches.count()));
        return new WrittenLayer(blob.digest(), blob.count(), stretches.digest(), annotations, missed);
    }
}
