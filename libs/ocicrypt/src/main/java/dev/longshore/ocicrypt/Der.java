package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * Elements of DER, one behind the other. What is read may be anybody's: a length counts only as far as there are bytes, and nothing is
 * allocated by it.
 *
 * @see <a href="https://www.itu.int/rec/T-REC-X.690">X.690</a>
 */
final class Der {

    static final int INTEGER = 0x02;
    static final int OCTETS = 0x04;
    static final int NULL = 0x05;
    static final int OID = 0x06;
    static final int SEQUENCE = 0x30;
    static final int SET = 0x31;

    private final byte[] bytes;
    private int position;

    Der(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * @param content without tag and length
     * @param whole with them
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Element(int tag, byte[] content, byte[] whole) {

        /** The elements in it. */
        Der inside() {
            return new Der(content);
        }
    }

    boolean hasMore() {
        return position < bytes.length;
    }

    /** @throws InvalidArgumentException if there is none, or not all of it */
    Element next() {
        int start = position;
        int tag = octet();
        int length = octet();
        if ((tag & 0x1f) == 0x1f || length == 0x80) {
            throw new InvalidArgumentException("DER with a long tag or without a length");
        }
        if (length > 0x80) {
            int octets = length - 0x80;
            if (octets > 3) {
                throw new InvalidArgumentException("DER with a length of %d bytes".formatted(octets));
            }
            length = 0;
            for (int i = 0; i < octets; i++) {
                length = (length << 8) | octet();
            }
        }
        if (length > bytes.length - position) {
            throw new InvalidArgumentException("DER ends in the middle of an element");
        }
        byte[] content = Arrays.copyOfRange(bytes, position, position + length);
        position += length;
        return new Element(tag, content, Arrays.copyOfRange(bytes, start, position));
    }

    private int octet() {
        if (position >= bytes.length) {
            throw new InvalidArgumentException("DER ends in the middle of an element");
        }
        return bytes[position++] & 0xff;
    }

    /** The next element, which has to have this tag. */
    Element next(int tag) {
        Element element = next();
        if (element.tag() != tag) {
            throw new InvalidArgumentException("DER has the tag %#x where %#x belongs".formatted(element.tag(), tag));
        }
        return element;
    }

    /** An element. */
    static byte[] of(int tag, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        ByteArrayOutputStream element = new ByteArrayOutputStream();
        element.write(tag);
        int length = content.size();
        if (length >= 0x80) {
            int octets = (Integer.SIZE - Integer.numberOfLeadingZeros(length) + 7) / 8;
            element.write(0x80 + octets);
            for (int i = octets - 1; i >= 0; i--) {
                element.write(length >> (8 * i));
            }
        } else {
            element.write(length);
        }
        element.writeBytes(content.toByteArray());
        return element.toByteArray();
    }
}
