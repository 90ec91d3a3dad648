package dev.longshore.registry;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a body of type {@code multipart/byteranges}. How long a part is its {@code Content-Range} says: no data is searched for
 * the boundary, which has to follow where the part ends. For one thread.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9110#section-14.6">RFC 9110</a>
 */
final class MultipartRanges {

    /** Bytes of a line, and of all lines between two parts. */
    private static final int MAX_LINE = 1 << 10;

    private static final int MAX_LINES = 8 << 10;

    private static final int BUFFER = 8 << 10;

    private static final String TYPE = "multipart/byteranges";

    /** RFC 2046: one to seventy characters, of which the last is no space. */
    private static final Pattern BOUNDARY = Pattern.compile(
            ";\\s*boundary=(?:\"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\"|([0-9A-Za-z'+_.-]{1,70}))\\s*(?:;.*)?$",
            Pattern.CASE_INSENSITIVE);

    private static final Pattern RANGE = Pattern.compile(
            "content-range:\\s*bytes\\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\\s*", Pattern.CASE_INSENSITIVE);

    private final InputStream body;
    private final String delimiter;
    private final long size;
    private long left;
    private boolean begun;
    private boolean ended;

    /**
     * A part.
     *
     * @param in its bytes; what is not read of them is passed over
     */
    record Part(ByteRange range, InputStream in) {}

    private MultipartRanges(InputStream body, String boundary, long size) {
        this.body = new BufferedInputStream(body, BUFFER);
        this.delimiter = "--" + boundary;
        this.size = size;
    }

    /** Whether a body of that type has parts. */
    static boolean isType(String contentType) {
        return contentType.toLowerCase(Locale.ROOT).startsWith(TYPE);
    }

    /**
     * Begins to read a body.
     *
     * @param size of the whole of which these are parts
     * @throws RangeFormatException if the type does not say what is between the parts
     */
    static MultipartRanges of(InputStream body, String contentType, long size) throws RangeFormatException {
        Matcher matcher = BOUNDARY.matcher(contentType);
        if (!isType(contentType) || !matcher.find()) {
            throw new RangeFormatException("\"%.120s\" is no type of parts with a boundary".formatted(contentType));
        }
        @Nullable String quoted = matcher.group(1);
        return new MultipartRanges(body, quoted == null ? matcher.group(2) : quoted, size);
    }

    /**
     * The next part; empty behind the last one.
     *
     * @throws RangeFormatException if what comes is none
     * @throws IOException if the body breaks off
     */
    Optional<Part> next() throws IOException {
        if (ended) {
            return Optional.empty();
        }
        body.skipNBytes(left);
        left = 0;
        int budget = MAX_LINES;
        String line = line();
        if (begun) {
            // The end of the line that the part is, for whoever reads lines.
            if (!line.isEmpty()) {
                throw new RangeFormatException("a part goes on behind its end");
            }
            line = line();
        } else {
            while (!isDelimiter(line)) {
                budget = spend(budget, line);
                line = line();
            }
            begun = true;
        }
        if (!isDelimiter(line)) {
            throw new RangeFormatException("a part is not followed by the boundary");
        }
        if (line.length() > delimiter.length()) {
            ended = true;
            return Optional.empty();
        }
        Optional<ByteRange> range = Optional.empty();
        for (line = line(); !line.isEmpty(); line = line()) {
            budget = spend(budget, line);
            Matcher matcher = RANGE.matcher(line);
            if (matcher.matches()) {
                range = Optional.of(range(matcher, line));
            }
        }
        ByteRange found = range.orElseThrow(() -> new RangeFormatException("a part does not say which bytes it has"));
        left = found.size();
        return Optional.of(new Part(found, new PartStream()));
    }

    private boolean isDelimiter(String line) {
        return line.equals(delimiter) || line.equals(delimiter + "--");
    }

    private ByteRange range(Matcher matcher, String line) throws RangeFormatException {
        long first = Long.parseLong(matcher.group(1));
        long last = Long.parseLong(matcher.group(2));
        if (last < first || last >= size || Long.parseLong(matcher.group(3)) != size) {
            throw new RangeFormatException("\"%.120s\" is no part of %d bytes".formatted(line, size));
        }
        return new ByteRange(first, last + 1);
    }

    private static int spend(int budget, String line) throws RangeFormatException {
        int rest = budget - line.length() - 2;
        if (rest < 0) {
            throw new RangeFormatException("there are more than %d bytes between two parts".formatted(MAX_LINES));
        }
        return rest;
    }

    /** Without its end; spaces at its end do not count. */
    private String line() throws IOException {
        byte[] bytes = new byte[MAX_LINE];
        int count = 0;
        for (int b = body.read(); b != '\n'; b = body.read()) {
            if (b < 0) {
                // Not every server ends the last line.
                String rest = new String(bytes, 0, count, StandardCharsets.ISO_8859_1);
                if (rest.equals(delimiter + "--")) {
                    return rest;
                }
                throw new EOFException("the body ended between two parts");
            }
            if (count == MAX_LINE) {
                throw new RangeFormatException("a line between two parts has more than %d bytes".formatted(MAX_LINE));
            }
            bytes[count++] = (byte) b;
        }
        return new String(bytes, 0, count, StandardCharsets.ISO_8859_1).stripTrailing();
    }

    /** What is left of the part that is being read. */
    private final class PartStream extends InputStream {

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = body.read(bytes, offset, (int) Math.min(length, left));
            if (count < 0) {
                throw new EOFException("the body ended in a part, %d bytes before its end".formatted(left));
            }
            left -= count;
            return count;
        }
    }
}
