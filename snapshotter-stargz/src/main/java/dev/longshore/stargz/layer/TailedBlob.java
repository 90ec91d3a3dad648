package dev.longshore.stargz.layer;

import dev.longshore.estargz.BlobReader;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A blob whose end is here already. */
final class TailedBlob implements BlobReader {

    private final BlobReader blob;
    private final ByteBuffer tail;
    private final long tailOffset;
    private final Traffic traffic;

    TailedBlob(BlobReader blob, ByteBuffer tail, Traffic traffic) {
        this.blob = blob;
        this.tail = tail.asReadOnlyBuffer();
        this.tailOffset = blob.size() - tail.remaining();
        this.traffic = traffic;
    }

    @Override
    public long size() {
        return blob.size();
    }

    @Override
    public void readFully(long offset, ByteBuffer to) throws IOException {
        if (offset < tailOffset) {
            int before = (int) Math.min(to.remaining(), tailOffset - offset);
            traffic.request();
            blob.readFully(offset, to.slice(to.position(), before));
            traffic.fetched(Traffic.Purpose.ON_DEMAND, before);
            to.position(to.position() + before);
        }
        int rest = to.remaining();
        int from = (int) (Math.max(offset, tailOffset) - tailOffset);
        if (from + rest > tail.limit()) {
            throw new IOException("byte %d is behind the end of %s".formatted(offset + rest, blob));
        }
        to.put(tail.slice(from, rest));
    }
}
