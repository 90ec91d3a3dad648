package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.util.Arrays;

/** The uncompressed archive on its way: hashed as a whole, and cut where a stream is to begin. */
final class StretchStream extends OutputStream {

    private static final int FIRST_BYTES = 64 << 10;

    private final StreamPipeline pipeline;
    private final int maxBytes;
    private final MessageDigest digester = Digest.digester("sha256");
    private byte[] stretch = new byte[FIRST_BYTES];
    private int length;
    private int cuts;
    private boolean whole;
    private long count;

    /** @param maxBytes a stretch is cut before it is longer, between two writes */
    StretchStream(StreamPipeline pipeline, int maxBytes) {
        this.pipeline = pipeline;
        this.maxBytes = maxBytes;
    }

    /** Like {@link #cut()}, and what follows, however long, is in one stream. */
    void cutForWhole() throws IOException {
        cut();
        whole = true;
    }

    /** Ends the stretch; what follows is in a stream of its own, whose index this is. */
    int cut() throws IOException {
        whole = false;
        if (length > 0) {
            pipeline.add(Arrays.copyOf(stretch, length));
            length = 0;
            cuts++;
        }
        return cuts;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int count) throws IOException {
        if (!whole && length > 0 && length + count > maxBytes) {
            cut();
        }
        if (length + count > stretch.length) {
            stretch = Arrays.copyOf(stretch, Math.max(stretch.length * 2, length + count));
        }
        System.arraycopy(bytes, offset, stretch, length, count);
        digester.update(bytes, offset, count);
        length += count;
        this.count += count;
    }

    Digest digest() {
        return Digest.of("sha256", digester);
    }

    /** Bytes of the archive so far. */
    long count() {
        return count;
    }
}
