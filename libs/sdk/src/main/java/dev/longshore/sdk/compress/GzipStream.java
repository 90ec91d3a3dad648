package dev.longshore.sdk.compress;

import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * What gzip has compressed: one member or many. The JDK's own stream takes what is behind a member for its end where it cannot
 * make sense of it, or where its input happens to have nothing buffered, so that damage looks like an end; here it is an
 * error, as in Go. Closing closes the stream below. For one thread.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc1952">RFC 1952</a>
 */
final class GzipStream extends InputStream {

    private static final int FLAG_HEADER_CRC = 2;
    private static final int FLAG_EXTRA = 4;
    private static final int FLAG_NAME = 8;
    private static final int FLAG_COMMENT = 16;
    private static final int RESERVED_FLAGS = 0xe0;

    private final InputStream in;
    private final byte[] input;
    private int position;
    private int limit;
    private final Inflater inflater = new Inflater(true);
    private final CRC32 checksum = new CRC32();
    private final CRC32 headerChecksum = new CRC32();
    private boolean ended;

    /** Reads the first header. */
    GzipStream(InputStream in, int bufferSize) throws IOException {
        this.in = in;
        this.input = new byte[bufferSize];
        if (!header()) {
            throw new CompressionException("gzip stream is empty");
        }
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        while (!ended) {
            int count = inflate(buffer, offset, length);
            if (count > 0) {
                checksum.update(buffer, offset, count);
                return count;
            }
            if (inflater.finished()) {
                position = limit - inflater.getRemaining();
                trailer();
                ended = !header();
                inflater.reset();
                checksum.reset();
                feed();
            } else if (inflater.needsDictionary()) {
                throw new CompressionException("gzip stream needs a dictionary");
            } else {
                position = limit;
                if (!fill()) {
                    throw new CompressionException("gzip stream ends in the middle of its data");
                }
                feed();
            }
        }
        return -1;
    }

    private int inflate(byte[] buffer, int offset, int length) throws CompressionException {
        try {
            return inflater.inflate(buffer, offset, length);
        } catch (DataFormatException e) {
            throw new CompressionException("gzip stream is damaged: " + e.getMessage(), e);
        }
    }

    /** Gives the inflater what is left of the input. */
    private void feed() {
        inflater.setInput(input, position, limit - position);
    }

    private boolean fill() throws IOException {
        position = 0;
        limit = Math.max(0, in.read(input, 0, input.length));
        return limit > 0;
    }

    /** Reads a header; false at the end of the input. */
    private boolean header() throws IOException {
        if (position == limit && !fill()) {
            return false;
        }
        headerChecksum.reset();
        if (headerByte() != 0x1f || headerByte() != 0x8b) {
            throw new CompressionException("gzip stream has something behind its end, or is none");
        }
        if (headerByte() != 8) {
            throw new CompressionException("gzip stream is of an unknown method");
        }
        int flags = headerByte();
        if ((flags & RESERVED_FLAGS) != 0) {
            throw new CompressionException("gzip stream has unknown flags");
        }
        skip(6); // time, extra flags, operating system
        if ((flags & FLAG_EXTRA) != 0) {
            skip(headerByte() | headerByte() << 8);
        }
        if ((flags & FLAG_NAME) != 0) {
            skipText();
        }
        if ((flags & FLAG_COMMENT) != 0) {
            skipText();
        }
        if ((flags & FLAG_HEADER_CRC) != 0) {
            int expected = (int) headerChecksum.getValue() & 0xffff;
            if ((headerByte() | headerByte() << 8) != expected) {
                throw new CompressionException("gzip stream is damaged: the checksum of its header is wrong");
            }
        }
        feed();
        return true;
    }

    private void trailer() throws IOException {
        long expected = checksum.getValue();
        if (word() != expected) {
            throw new CompressionException("gzip stream is damaged: its checksum is wrong");
        }
        if (word() != (inflater.getBytesWritten() & 0xffff_ffffL)) {
            throw new CompressionException("gzip stream is damaged: its length is wrong");
        }
    }

    private long word() throws IOException {
        long word = headerByte() | headerByte() << 8 | headerByte() << 16;
        return word | (long) headerByte() << 24;
    }

    private void skip(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            headerByte();
        }
    }

    private void skipText() throws IOException {
        int b;
        do {
            b = headerByte();
        } while (b != 0);
    }

    private int headerByte() throws IOException {
        if (position == limit && !fill()) {
            throw new CompressionException("gzip stream ends in the middle of a header or trailer");
        }
        int b = input[position++] & 0xff;
        headerChecksum.update(b);
        return b;
    }

    @Override
    public void close() throws IOException {
        ended = true;
        inflater.end();
        in.close();
    }
}
