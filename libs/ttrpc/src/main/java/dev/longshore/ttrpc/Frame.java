package dev.longshore.ttrpc;

import java.nio.ByteBuffer;

/**
 * The header of a frame: ten bytes, big-endian.
 *
 * @param length bytes of data behind the header
 * @param stream odd for streams that a client began
 * @param type one of the constants; readers ignore others
 */
record Frame(int length, int stream, byte type, byte flags) {

    static final int HEADER_SIZE = 10;

    /** Bytes of data in a frame. */
    static final int MAX_LENGTH = 4 << 20;

    static final byte REQUEST = 1;
    static final byte RESPONSE = 2;
    static final byte DATA = 3;

    static Frame read(ByteBuffer header) {
        return new Frame(header.getInt(), header.getInt(), header.get(), header.get());
    }

    void write(ByteBuffer header) {
        header.putInt(length).putInt(stream).put(type).put(flags);
    }

    /** Whether the data is longer than a frame may have; a length from 2 GiB on reads as negative. */
    boolean tooLong() {
        return length < 0 || length > MAX_LENGTH;
    }

    /** The length as the sender meant it. */
    long unsignedLength() {
        return Integer.toUnsignedLong(length);
    }
}
