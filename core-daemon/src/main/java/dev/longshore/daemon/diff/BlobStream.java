package dev.longshore.daemon.diff;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** A blob from front to back. For one thread. */
final class BlobStream extends InputStream {

    private static final int READ = 256 << 10;

    private final ContentReader blob;
    private final ByteBuffer buffer = ByteBuffer.allocate(READ).limit(0);
    private long position;

    private BlobStream(ContentReader blob) {
        this.blob = blob;
    }

    /**
     * @throws NotFoundException if it is not there
     * @throws InvalidArgumentException if it is not as long as its descriptor says
     */
    static BlobStream open(ContentStore content, CallContext context, Descriptor layer) {
        ContentReader blob = content.reader(context, layer.digest());
        long size = blob.size();
        if (layer.size() > 0 && layer.size() != size) {
            blob.close();
            throw new InvalidArgumentException("it has %d bytes, and its descriptor says %d: one of them is damaged"
                    .formatted(size, layer.size()));
        }
        return new BlobStream(blob);
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

    @Override
    public void close() {
        blob.close();
    }
}
