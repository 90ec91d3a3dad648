package dev.longshore.estargz;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdIOException;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import dev.longshore.sdk.compress.Compression;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Gets chunks out of compressed streams as these come: out of members of gzip, or frames of zstd. No more is decompressed than what lies
 * before a stream's last chunk, and that chunk; whether a chunk is what it should be is for its digest to say, as a stream's own checksum
 * is behind bytes that are not read. One stream after another, for one thread.
 */
public abstract sealed class ChunkDecoder implements AutoCloseable {

    /** What is before a chunk in its stream is thrown away in pieces of so many bytes. */
    private static final int SKIP_BYTES = 64 << 10;

    private final BoundedStream source;
    private long position;

    private ChunkDecoder(BoundedStream source) {
        this.source = source;
    }

    /** @param source with one stream after another; never read beyond the end of one that was begun */
    public static ChunkDecoder of(Compression compression, InputStream source) {
        return switch (compression) {
            case GZIP -> new Gzip(new BoundedStream(source));
            case ZSTD -> new Zstd(new BoundedStream(source));
            case NONE -> throw new IllegalArgumentException("chunks are always compressed");
        };
    }

    /**
     * Begins with the next stream.
     *
     * @param length compressed bytes
     */
    public final void begin(long length) throws IOException {
        source.left = length;
        position = 0;
        open();
    }

    /**
     * Fills {@code chunk} with the uncompressed bytes at {@code innerOffset}.
     *
     * @param innerOffset not before the end of what was read of the stream last
     * @throws LayerFormatException if the stream is damaged, or ends before the chunk does
     * @throws IOException if the source cannot be read, or has ended in the stream
     */
    public final void read(long innerOffset, ByteBuffer chunk) throws IOException {
        if (innerOffset < position) {
            throw new IllegalArgumentException(
                    "byte %d of the stream has been passed: it is at %d".formatted(innerOffset, position));
        }
        if (innerOffset > position) {
            ByteBuffer skipped = ByteBuffer.allocate((int) Math.min(SKIP_BYTES, innerOffset - position));
            while (position < innerOffset) {
                fill(skipped.clear().limit((int) Math.min(skipped.capacity(), innerOffset - position)));
            }
        }
        fill(chunk);
    }

    private void fill(ByteBuffer to) throws IOException {
        while (to.hasRemaining()) {
            int count;
            try {
                count = decompress(to);
            } catch (DamagedException e) {
                throw new LayerFormatException("the stream of a chunk is damaged: " + e.getMessage(), e);
            }
            if (count <= 0) {
                throw new LayerFormatException("the stream of a chunk ends before the chunk does");
            }
            position += count;
        }
    }

    /** Passes over what is left of the stream's compressed bytes, so that the next can be begun. */
    public final void end() throws IOException {
        source.skipNBytes(source.left);
    }

    /** At the beginning of a stream. */
    abstract void open() throws IOException;

    /** Some bytes into {@code to}; none at the stream's end. */
    abstract int decompress(ByteBuffer to) throws IOException;

    @Override
    public abstract void close();

    /** As opposed to a source that fails. */
    private static final class DamagedException extends IOException {

        private static final long serialVersionUID = 1;

        DamagedException(Exception cause) {
            super(cause.getMessage(), cause);
        }
    }

    /** The compressed bytes of one stream after another: more than what belongs to the one is not taken. */
    private static final class BoundedStream extends InputStream {

        private final InputStream source;
        private long left;

        BoundedStream(InputStream source) {
            this.source = source;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = source.read(buffer, offset, (int) Math.min(length, left));
            if (count < 0) {
                throw new IOException("it ended in mid-stream, %d bytes early".formatted(left));
            }
            left -= count;
            return count;
        }
    }

    private static final class Gzip extends ChunkDecoder {

        /** What the JDK's client hands out at once. */
        private static final int INPUT = 16 << 10;

        private static final int FLAG_HEADER_CRC = 2;
        private static final int FLAG_EXTRA = 4;
        private static final int FLAG_NAME = 8;
        private static final int FLAG_COMMENT = 16;
        private static final int FIXED_HEADER = 10;

        private final BoundedStream source;
        private final Inflater inflater = new Inflater(true);
        private final byte[] input = new byte[INPUT];
        private int next;
        private int limit;

        Gzip(BoundedStream source) {
            super(source);
            this.source = source;
        }

        /** RFC 1952, 2.3. */
        @Override
        void open() throws IOException {
            next = 0;
            limit = 0;
            inflater.reset();
            byte[] header = new byte[FIXED_HEADER];
            for (int i = 0; i < header.length; i++) {
                header[i] = (byte) headerByte();
            }
            if (header[0] != 0x1f || header[1] != (byte) 0x8b || header[2] != 8) {
                throw new LayerFormatException("where a chunk should be there is no member of gzip");
            }
            int flags = header[3];
            if ((flags & FLAG_EXTRA) != 0) {
                pass(headerByte() | headerByte() << 8);
            }
            if ((flags & FLAG_NAME) != 0) {
                passZero();
            }
            if ((flags & FLAG_COMMENT) != 0) {
                passZero();
            }
            if ((flags & FLAG_HEADER_CRC) != 0) {
                pass(2);
            }
            inflater.setInput(input, next, limit - next);
        }

        private int headerByte() throws IOException {
            if (next == limit && !more()) {
                throw new LayerFormatException("the header of a chunk's stream is cut off");
            }
            return input[next++] & 0xff;
        }

        private void pass(int bytes) throws IOException {
            for (int i = 0; i < bytes; i++) {
                headerByte();
            }
        }

        private void passZero() throws IOException {
            while (headerByte() != 0) {
                // a byte of a text
            }
        }

        private boolean more() throws IOException {
            next = 0;
            limit = Math.max(0, source.read(input, 0, input.length));
            return limit > 0;
        }

        @Override
        int decompress(ByteBuffer to) throws IOException {
            try {
                while (true) {
                    int count = inflater.inflate(to);
                    if (count > 0 || inflater.finished()) {
                        return count;
                    }
                    if (inflater.needsDictionary() || !more()) {
                        return 0;
                    }
                    inflater.setInput(input, 0, limit);
                }
            } catch (DataFormatException e) {
                throw new DamagedException(e);
            }
        }

        @Override
        public void close() {
            inflater.end();
        }
    }

    private static final class Zstd extends ChunkDecoder {

        /** 2^27 bytes: what {@code zstd} itself takes without being asked. */
        private static final int MAX_WINDOW_LOG = 27;

        private static final int OUTPUT = 64 << 10;

        private final BoundedStream source;
        private final byte[] output = new byte[OUTPUT];
        private @Nullable ZstdInputStreamNoFinalizer frames;

        Zstd(BoundedStream source) {
            super(source);
            this.source = source;
        }

        @Override
        void open() throws IOException {
            close();
            frames = new ZstdInputStreamNoFinalizer(source, RecyclingBufferPool.INSTANCE).setLongMax(MAX_WINDOW_LOG);
        }

        @Override
        int decompress(ByteBuffer to) throws IOException {
            int count;
            try {
                count = Objects.requireNonNull(frames).read(output, 0, Math.min(output.length, to.remaining()));
            } catch (ZstdIOException e) {
                throw new DamagedException(e);
            }
            if (count > 0) {
                to.put(output, 0, count);
            }
            return count;
        }

        @Override
        public void close() {
            if (frames != null) {
                try {
                    frames.close();
                } catch (IOException e) {
                    throw new UncheckedIOException(e); // its source is a BoundedStream, which has nothing to close
                }
                frames = null;
            }
        }
    }
}
