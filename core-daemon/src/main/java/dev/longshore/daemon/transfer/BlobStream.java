package dev.longshore.daemon.transfer;

import dev.longshore.sdk.content.ContentReader;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;

/** A blob from front to back. Closes the reader with itself. */
final class BlobStream extends InputStream {

    private final ContentReader blob;
    private final LongConsumer read;
    private long position;

    /** @param read told of bytes that were read */
    BlobStream(ContentReader blob, LongConsumer read) {
        this.blob = blob;
        this.read = read;
    }

    @Override
    public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) {
        if (length == 0) {
            return 0;
        }
        int count = blob.read(ByteBuffer.wrap(bytes, offset, length), position);
        if (count > 0) {
            position += count;
            read.accept(count);
        }
        return count > 0 ? count : -1;
    }

    @Override
    public void close() {
        blob.close();
    }
}
