package dev.longshore.stargz.layer;

import dev.longshore.estargz.BlobReader;
import dev.longshore.registry.ByteRange;
import dev.longshore.registry.Registry.RangeSink;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;

/** A layer's blob, read in parts from wherever it is. Safe for use by many threads. */
interface LayerBlob extends BlobReader, AutoCloseable {

    /** What is done with the bytes of a part. */
    @FunctionalInterface
    interface Part {

        /** May be called again, with the same bytes from the beginning, if it throws {@link IOException}. */
        void read(InputStream in) throws IOException;
    }

    /**
     * Reads the bytes from {@code begin} up to, not with, {@code end}, in one request if that is possible.
     *
     * @throws IOException if they cannot be had in time
     */
    void read(long begin, long end, Part part) throws IOException;

    /**
     * Reads several ranges, in as few requests as can be.
     *
     * @param ranges ascending, none overlapping another
     * @param sink gets them in their order; as with {@link Part}, one may come again if it throws {@link IOException}
     * @throws IOException if they cannot be had in time
     */
    default void read(List<ByteRange> ranges, RangeSink sink) throws IOException {
        for (ByteRange range : ranges) {
            read(range.begin(), range.end(), in -> sink.take(range, in));
        }
    }

    @Override
    default void readFully(long offset, ByteBuffer to) throws IOException {
        byte[] bytes = new byte[to.remaining()];
        read(offset, offset + bytes.length, in -> {
            int count = in.readNBytes(bytes, 0, bytes.length);
            if (count < bytes.length) {
                throw new IOException("%s ended at byte %d".formatted(this, offset + count));
            }
        });
        to.put(bytes);
    }

    /** Ends the waits for whoever is to have it. */
    @Override
    void close();
}
