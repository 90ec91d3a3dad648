package dev.longshore.estargz;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A layer's compressed bytes at any offset, from wherever they are. Safe for use by many threads. */
public interface BlobReader {

    /** Bytes of the blob. */
    long size();

    /**
     * Fills {@code to} with what begins at {@code offset}; blocks until it is there.
     *
     * @throws IOException if any of it cannot be had
     */
    void readFully(long offset, ByteBuffer to) throws IOException;
}
