package dev.longshore.estargz;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import dev.longshore.sdk.compress.Compression;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Gets a chunk out of the compressed stream that it is in: a member of gzip, or a frame of zstd. No more is decompressed than
 * what lies before the chunk, and the chunk; whether it is what it should be is for its digest to say, as the stream's own
 * checksum is behind bytes that are not read.
 */
public final class ChunkDecoder {

    /** What is before a chunk in its stream is thrown away in pieces of so many bytes. */
    private static final int SKIP_BYTES = 64 << 10;

    /** 2^27 bytes: what {@code zstd} itself takes without being asked. */
    private static final int MAX_WINDOW_LOG = 27;

    private static final int FLAG_HEADER_CRC = 2;
    private static final int FLAG_EXTRA = 4;
    private static final int FLAG_NAME = 8;
    private static final int FLAG_COMMENT = 16;
    private static final int FIXED_HEADER = 10;

    private ChunkDecoder() {}

    /**
     * Fills {@code chunk} with the uncompressed bytes at {@code innerOffset}.
     *
     * @param stream the compressed bytes, from {@link TocEntry#offset} on; may go on behind the chunk's stream. Its position
     *     is left anywhere
     * @throws LayerFormatException if the stream is damaged, or ends before the chunk does
     */
    public static void decode(Compression compression, ByteBuffer stream, long innerOffset, byte[] chunk)
            throws LayerFormatException {
        switch (compression) {
            case GZIP -> gzip(stream, innerOffset, chunk);
            case ZSTD -> zstd(stream, innerOffset, chunk);
            case NONE -> throw new IllegalArgumentException("chunks are always compressed");
        }
    }

    private interface Source {
        /** More bytes into {@code to}; none at the stream's end. */
        int read(byte[] to, int offset, int length) throws IOException, DataFormatException;
    }

    private static void gzip(ByteBuffer stream, long innerOffset, byte[] chunk) throws LayerFormatException {
        passGzipHeader(stream);
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(stream);
            read(inflater::inflate, innerOffset, chunk);
        } finally {
            inflater.end();
        }
    }

    private static void zstd(ByteBuffer stream, long innerOffset, byte[] chunk) throws LayerFormatException {
        try (ZstdInputStreamNoFinalizer frames = new ZstdInputStreamNoFinalizer(
                        new BufferStream(stream), RecyclingBufferPool.INSTANCE)
                .setLongMax(MAX_WINDOW_LOG)) {
            read(frames::read, innerOffset, chunk);
        } catch (LayerFormatException e) {
            throw e;
        } catch (IOException e) {
            throw new LayerFormatException("the stream of a chunk is damaged: " + e.getMessage(), e);
        }
    }

    private static void read(Source source, long innerOffset, byte[] chunk) throws LayerFormatException {
        try {
            byte[] skipped = new byte[(int) Math.min(SKIP_BYTES, innerOffset)];
            for (long at = 0; at < innerOffset; ) {
                at += some(source, skipped, 0, (int) Math.min(skipped.length, innerOffset - at));
            }
            for (int at = 0; at < chunk.length; ) {
                at += some(source, chunk, at, chunk.length - at);
            }
        } catch (LayerFormatException e) {
            throw e;
        } catch (IOException | DataFormatException e) {
            throw new LayerFormatException("the stream of a chunk is damaged: " + e.getMessage(), e);
        }
    }

    private static int some(Source source, byte[] to, int offset, int length) throws IOException, DataFormatException {
        int count = source.read(to, offset, length);
        if (count <= 0) {
            throw new LayerFormatException("the stream of a chunk ends before the chunk does");
        }
        return count;
    }

    /** RFC 1952, 2.3. */
    private static void passGzipHeader(ByteBuffer stream) throws LayerFormatException {
        int start = stream.position();
        if (stream.remaining() < FIXED_HEADER
                || stream.get(start) != 0x1f
                || stream.get(start + 1) != (byte) 0x8b
                || stream.get(start + 2) != 8) {
            throw new LayerFormatException("where a chunk should be there is no member of gzip");
        }
        int flags = stream.get(start + 3);
        int at = start + FIXED_HEADER;
        if ((flags & FLAG_EXTRA) != 0 && at + 2 <= stream.limit()) {
            at += 2 + (stream.duplicate().order(ByteOrder.LITTLE_ENDIAN).getShort(at) & 0xffff);
        }
        if ((flags & FLAG_NAME) != 0) {
            at = behindZero(stream, at);
        }
        if ((flags & FLAG_COMMENT) != 0) {
            at = behindZero(stream, at);
        }
        if ((flags & FLAG_HEADER_CRC) != 0) {
            at += 2;
        }
        if (at > stream.limit()) {
            throw new LayerFormatException("the header of a chunk's stream is cut off");
        }
        stream.position(at);
    }

    private static int behindZero(ByteBuffer stream, int at) {
        int end = at;
        while (end < stream.limit() && stream.get(end) != 0) {
            end++;
        }
        return end + 1;
    }

    private static final class BufferStream extends InputStream {

        private final ByteBuffer bytes;

        BufferStream(ByteBuffer bytes) {
            this.bytes = bytes;
        }

        @Override
        public int read() {
            return bytes.hasRemaining() ? bytes.get() & 0xff : -1;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) {
            if (!bytes.hasRemaining()) {
                return -1;
            }
            int count = Math.min(length, bytes.remaining());
            bytes.get(buffer, offset, count);
            return count;
        }
    }
}
