package dev.longshore.content.ipfs;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** Reads a blob of this disk. It stays readable when the blob is deleted meanwhile. */
final class IpfsReader implements ContentReader {

    private final StoredBlob blob;
    private final OpenBlobs open;

    /** Of the call that opened it, for blocks that must be fetched again. */
    private final Deadline deadline;

    private final AtomicBoolean closed = new AtomicBoolean();

    IpfsReader(StoredBlob blob, OpenBlobs open, Deadline deadline) {
        this.blob = blob;
        this.open = open;
        this.deadline = deadline;
    }

    @Override
    public long size() {
        return blob.blob().size();
    }

    @Override
    public int read(ByteBuffer buffer, long offset) {
        try {
            return blob.read(buffer, offset, deadline);
        } catch (IOException e) {
            throw new UncheckedIOException("reading content " + blob.blob().digest(), e);
        }
    }

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        try {
            open.release(blob);
        } catch (IOException e) {
            throw new UncheckedIOException("closing content " + blob.blob().digest(), e);
        }
    }
}
