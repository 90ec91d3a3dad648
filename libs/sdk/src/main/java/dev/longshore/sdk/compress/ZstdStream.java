package dev.longshore.sdk.compress;

import com.github.luben.zstd.ZstdIOException;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.IOException;
import java.io.InputStream;

/** What zstd has compressed: frames, one after another, some of which may be skippable. For one thread. */
final class ZstdStream extends InputStream {

    /** 2^27 bytes: what {@code zstd} itself takes without being asked. */
    private static final int MAX_WINDOW_LOG = 27;

    private final ZstdInputStreamNoFinalizer frames;

    ZstdStream(InputStream in) throws IOException {
        frames = new ZstdInputStreamNoFinalizer(in).setLongMax(MAX_WINDOW_LOG);
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        try {
            return frames.read(buffer, offset, length);
        } catch (ZstdIOException e) {
            throw new CompressionException("zstd stream is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() throws IOException {
        frames.close();
    }
}
