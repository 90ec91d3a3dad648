package dev.longshore.estargz;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Members of gzip, RFC 1952. */
final class GzipCompressor implements StreamCompressor {

    /** No name, no time, no system. */
    private static final byte[] HEADER = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 255};

    private static final int TRAILER = 8;

    private final Deflater deflater;

    GzipCompressor(int level) {
        deflater = new Deflater(level, true);
    }

    @Override
    public byte[] compress(byte[] bytes, int length) {
        deflater.reset();
        deflater.setInput(bytes, 0, length);
        deflater.finish();
        // Deflate grows what it cannot compress by 5 bytes for each block of at least 16 KiB.
        byte[] out = new byte[HEADER.length + length + (length >> 11) + 64];
        System.arraycopy(HEADER, 0, out, 0, HEADER.length);
        int end = HEADER.length;
        while (!deflater.finished()) {
            if (end == out.length) {
                out = Arrays.copyOf(out, out.length * 2);
            }
            end += deflater.deflate(out, end, out.length - end);
        }
        CRC32 checksum = new CRC32();
        checksum.update(bytes, 0, length);
        byte[] member = Arrays.copyOf(out, end + TRAILER);
        ByteBuffer.wrap(member, end, TRAILER)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt((int) checksum.getValue())
                .putInt(length);
        return member;
    }

    @Override
    public void close() {
        deflater.end();
    }
}
