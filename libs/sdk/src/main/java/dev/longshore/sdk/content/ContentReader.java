package dev.longshore.sdk.content;

import java.nio.ByteBuffer;

/** Reads one blob at any offset. Safe for use by many threads. */
public interface ContentReader extends AutoCloseable {

    /** Bytes of the blob. */
    long size();

    /**
     * Fills {@code buffer} from {@code offset} on, as far as the blob goes.
     *
     * @return bytes read; -1 at or behind the end
     */
    int read(ByteBuffer buffer, long offset);

    @Override
    void close();
}
