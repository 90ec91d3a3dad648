package dev.longshore.estargz;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/** A blob in memory. */
final class BytesReader implements BlobReader {

    private final byte[] bytes;

    BytesReader(byte[] bytes) {
        this.bytes = bytes;
    }

    byte[] bytes() {
        return bytes;
    }

    /** One of the layers that other programs made. */
    static BytesReader golden(String name) {
        try (InputStream in = BytesReader.class.getResourceAsStream("/layers/" + name)) {
            if (in == null) {
                throw new IllegalArgumentException("no such layer: " + name);
            }
            return new BytesReader(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public long size() {
        return bytes.length;
    }

    @Override
    public void readFully(long offset, ByteBuffer to) throws IOException {
        if (offset < 0 || offset + to.remaining() > bytes.length) {
            throw new EOFException("bytes %d to %d of %d".formatted(offset, offset + to.remaining(), bytes.length));
        }
        to.put(bytes, (int) offset, to.remaining());
    }
}
