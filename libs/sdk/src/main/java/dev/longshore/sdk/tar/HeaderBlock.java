package dev.longshore.sdk.tar;

import java.nio.charset.StandardCharsets;

/** One block of 512 bytes, read as a header; the offsets are those of POSIX ustar and of GNU tar. */
final class HeaderBlock {

    static final int SIZE = 512;

    static final int NAME = 0;
    static final int MODE = 100;
    static final int UID = 108;
    static final int GID = 116;
    static final int LENGTH = 124;
    static final int MTIME = 136;
    static final int CHECKSUM = 148;
    static final int TYPE = 156;
    static final int LINK_NAME = 157;
    static final int MAGIC = 257;
    static final int USER_NAME = 265;
    static final int GROUP_NAME = 297;
    static final int MAJOR = 329;
    static final int MINOR = 337;
    static final int PREFIX = 345;

    enum Format {
        V7,
        USTAR,
        STAR,
        GNU
    }

    final byte[] bytes = new byte[SIZE];

    /** Of this block in the archive, for messages. */
    long offset;

    boolean isZero() {
        for (byte b : bytes) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    Format format() {
        if (at(MAGIC, "ustar\0")) {
            return at(508, "tar\0") ? Format.STAR : Format.USTAR;
        }
        return at(MAGIC, "ustar  \0") ? Format.GNU : Format.V7;
    }

    private boolean at(int offset, String text) {
        for (int i = 0; i < text.length(); i++) {
            if (bytes[offset + i] != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** @throws TarFormatException if neither the sum of the unsigned bytes (POSIX) nor that of the signed ones (old Sun tar) fits */
    void verify() throws TarFormatException {
        int unsigned = 0;
        int signed = 0;
        for (int i = 0; i < SIZE; i++) {
            byte b = i >= CHECKSUM && i < CHECKSUM + 8 ? (byte) ' ' : bytes[i];
            unsigned += b & 0xff;
            signed += b;
        }
        if (!sumIs(unsigned) && !sumIs(signed)) {
            throw new TarFormatException(
                    offset, "the header's checksum is wrong: the archive is damaged, or no tar archive");
        }
    }

    private boolean sumIs(int sum) {
        try {
            return number(CHECKSUM, 8) == sum;
        } catch (TarFormatException e) {
            return false; // what is there is no number: no header, then
        }
    }

    /** The text of a field, up to its first NUL. */
    String text(int offset, int length) {
        int end = offset;
        while (end < offset + length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, offset, end - offset, StandardCharsets.ISO_8859_1);
    }

    /** A number in octal digits, or in base 256 if the first bit is set; an empty field is 0. */
    long number(int start, int length) throws TarFormatException {
        return (bytes[start] & 0x80) != 0 ? binary(start, length) : octal(start, length);
    }

    private long binary(int start, int length) throws TarFormatException {
        int invert = (bytes[start] & 0x40) != 0 ? 0xff : 0;
        long value = 0;
        for (int i = 0; i < length; i++) {
            int digit = (bytes[start + i] ^ invert) & (i == 0 ? 0x7f : 0xff);
            if (value >>> 55 != 0) {
                throw new TarFormatException(offset, "a number of the header does not fit 64 bits");
            }
            value = value << 8 | digit;
        }
        return invert == 0 ? value : ~value;
    }

    private long octal(int start, int length) throws TarFormatException {
        int i = start;
        int end = start + length;
        while (i < end && (bytes[i] == ' ' || bytes[i] == 0)) {
            i++;
        }
        long value = 0;
        while (i < end && bytes[i] >= '0' && bytes[i] <= '7') {
            value = value << 3 | bytes[i] - '0';
            i++;
        }
        // What follows the digits is one NUL or blank, and behind a NUL anything.
        while (i < end && bytes[i] == ' ') {
            i++;
        }
        if (i < end && bytes[i] != 0) {
            throw new TarFormatException(offset, "a number of the header has a digit that is not octal");
        }
        return value;
    }
}
