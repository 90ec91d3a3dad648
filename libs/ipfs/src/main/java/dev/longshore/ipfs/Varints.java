package dev.longshore.ipfs;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** Numbers of 7 bits a byte, the lowest first, as multiformats and protobuf write them. */
final class Varints {

    private Varints() {}

    static void write(ByteArrayOutputStream out, long value) {
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            out.write((int) (rest & 0x7f) | 0x80);
            rest >>>= 7;
        }
        out.write((int) rest);
    }

    static int size(long value) {
        return Math.max(1, (70 - Long.numberOfLeadingZeros(value)) / 7);
    }

    /**
     * Reads a number below 2^63.
     *
     * @return -1 if {@code in} has none: cut off, too large, or longer than it need be
     */
    static long read(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < 63 && in.hasRemaining(); shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return b == 0 && shift > 0 ? -1 : value;
            }
        }
        return -1;
    }
}
