package dev.longshore.sdk.compress;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Locale;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/** How a stream is compressed. What it is told by its first bytes, whatever its media type says, as containerd does it. */
public enum Compression {
    NONE,
    GZIP,
    ZSTD;

    private static final int BUFFER = 128 << 10;

    private static final int ZSTD_MAGIC = 0xFD2FB528;
    private static final int ZSTD_SKIPPABLE = 0x184D2A50;

    /**
     * The uncompressed stream. Its end is reached only if all members or frames were whole and their checksums right; else it
     * throws a {@link CompressionException}. Closing it closes {@code in}.
     */
    public static InputStream decompress(InputStream in) throws IOException {
        BufferedInputStream buffered = new BufferedInputStream(in, BUFFER);
        buffered.mark(4);
        byte[] magic = buffered.readNBytes(4);
        buffered.reset();
        return switch (detect(magic)) {
            case NONE -> buffered;
            case GZIP -> new GzipStream(buffered, BUFFER);
            case ZSTD -> new ZstdStream(buffered);
        };
    }

    /**
     * Like {@link #decompress(InputStream)} for a stream that is known to be of this kind.
     *
     * @throws CompressionException if it is of another
     */
    public InputStream expand(InputStream in) throws IOException {
        BufferedInputStream buffered = new BufferedInputStream(in, BUFFER);
        buffered.mark(4);
        Compression found = detect(buffered.readNBytes(4));
        buffered.reset();
        if (found != this) {
            throw new CompressionException("the stream is not compressed with %s, but with %s"
                    .formatted(name().toLowerCase(Locale.ROOT), found.name().toLowerCase(Locale.ROOT)));
        }
        return decompress(buffered);
    }

    /** What a stream is that begins with {@code start}. */
    public static Compression detect(byte[] start) {
        if (start.length >= 3 && start[0] == 0x1f && start[1] == (byte) 0x8b && start[2] == 8) {
            return GZIP;
        }
        if (start.length >= 4) {
            int word = (start[0] & 0xff) | (start[1] & 0xff) << 8 | (start[2] & 0xff) << 16 | (start[3] & 0xff) << 24;
            if (word == ZSTD_MAGIC || (word & ~0xf) == ZSTD_SKIPPABLE) {
                return ZSTD;
            }
        }
        return NONE;
    }

    /** A stream that compresses into {@code out}; the same bytes for the same input. */
    public OutputStream compress(OutputStream out) throws IOException {
        return switch (this) {
            case NONE -> out;
            case GZIP ->
                new GZIPOutputStream(out, BUFFER) {
                    {
                        def.setLevel(Deflater.DEFAULT_COMPRESSION);
                    }
                };
            case ZSTD -> new ZstdOutputStream(out);
        };
    }
}
