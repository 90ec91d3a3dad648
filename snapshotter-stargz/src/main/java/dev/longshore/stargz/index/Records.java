package dev.longshore.stargz.index;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** A growing table of records of one size, little-endian, as they will be in the file. */
final class Records {

    private final int recordSize;
    private byte[] bytes;
    private ByteBuffer view;
    private int count;

    Records(int recordSize) {
        this.recordSize = recordSize;
        bytes = new byte[64 * recordSize];
        view = view(bytes);
    }

    private static ByteBuffer view(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Adds a record of zeros. */
    int add() {
        int needed = Math.multiplyExact(count + 1, recordSize);
        if (needed > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(needed, bytes.length + (bytes.length >> 1)));
            view = view(bytes);
        }
        return count++;
    }

    int count() {
        return count;
    }

    /** What is written, from the first record to the last; positions are those of {@link #at}. */
    ByteBuffer view() {
        return view;
    }

    int at(int record) {
        return record * recordSize;
    }

    ByteBuffer content() {
        return ByteBuffer.wrap(bytes, 0, count * recordSize);
    }
}
