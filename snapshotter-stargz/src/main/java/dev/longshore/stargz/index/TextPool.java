package dev.longshore.stargz.index;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Bytes one after another. */
final class TextPool {

    private byte[] bytes = new byte[1 << 10];
    private int size;
    private long counted;

    /** The offset at which they are now. */
    int add(byte[] added) {
        int end = Math.addExact(size, added.length);
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(end, bytes.length + (bytes.length >> 1)));
        }
        System.arraycopy(added, 0, bytes, size, added.length);
        int offset = size;
        size = end;
        return offset;
    }

    /** Counts what is kept elsewhere towards {@link #size}. */
    void count(int length) {
        counted += length;
    }

    long size() {
        return size + counted;
    }

    ByteBuffer content() {
        return ByteBuffer.wrap(bytes, 0, size);
    }
}
