package dev.longshore.registry;

import dev.longshore.registry.Http.Response;
import dev.longshore.registry.Registry.RangeSink;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;

/**
 * What a server answers to a request for several ranges: a part for each, fewer parts that have several ranges and what is between them,
 * or one with some of them. For one thread.
 */
final class RangesAnswer {

    private final List<ByteRange> ranges;
    private final Parts parts;
    private int given;

    private interface Parts {
        Optional<MultipartRanges.Part> next() throws IOException;
    }

    private RangesAnswer(List<ByteRange> ranges, Parts parts) {
        this.ranges = ranges;
        this.parts = parts;
    }

    /**
     * Begins to read an answer of status 206.
     *
     * @param ranges that were asked for: ascending, none overlapping another
     * @param size of the blob
     * @throws RangeFormatException if it is none
     */
    static RangesAnswer of(Response response, List<ByteRange> ranges, long size) throws RangeFormatException {
        String type = response.header("Content-Type");
        if (MultipartRanges.isType(type)) {
            MultipartRanges multipart = MultipartRanges.of(response.body(), type, size);
            return new RangesAnswer(ranges, multipart::next);
        }
        MultipartRanges.Part only =
                new MultipartRanges.Part(only(response.header("Content-Range"), ranges, size), response.body());
        boolean[] taken = {false};
        return new RangesAnswer(ranges, () -> {
            Optional<MultipartRanges.Part> part = taken[0] ? Optional.empty() : Optional.of(only);
            taken[0] = true;
            return part;
        });
    }

    private static ByteRange only(String header, List<ByteRange> ranges, long size) throws RangeFormatException {
        Matcher matcher = Registry.CONTENT_RANGE.matcher(header);
        if (!matcher.matches() || Long.parseLong(matcher.group(3)) != size) {
            throw new RangeFormatException(
                    "several ranges were asked for and \"%.80s\" came of %d bytes".formatted(header, size));
        }
        long first = Long.parseLong(matcher.group(1));
        long end = Long.parseLong(matcher.group(2)) + 1;
        long wanted = ranges.stream().mapToLong(ByteRange::size).sum();
        if (end <= first || end > size || end - first > 2 * wanted) {
            throw new RangeFormatException(
                    "%d bytes in several ranges were asked for and \"%.80s\" came".formatted(wanted, header));
        }
        return new ByteRange(first, end);
    }

    /** How many of the ranges, from the first one on, were given to the sink and taken. */
    int given() {
        return given;
    }

    /**
     * Gives the ranges to {@code sink}, as many as there are.
     *
     * @throws RangeFormatException if the parts are not what was asked for
     * @throws IOException of the sink, or if the body breaks off
     */
    void give(RangeSink sink) throws IOException {
        long behind = 0;
        while (given < ranges.size()) {
            Optional<MultipartRanges.Part> next = parts.next();
            if (next.isEmpty()) {
                return;
            }
            MultipartRanges.Part part = next.get();
            if (part.range().begin() < behind) {
                throw new RangeFormatException("part %s comes behind byte %d".formatted(part.range(), behind));
            }
            behind = part.range().end();
            give(part, sink);
        }
    }

    private void give(MultipartRanges.Part part, RangeSink sink) throws IOException {
        int before = given;
        long position = part.range().begin();
        while (given < ranges.size()) {
            ByteRange range = ranges.get(given);
            if (range.begin() < position || range.end() > part.range().end()) {
                break;
            }
            part.in().skipNBytes(range.begin() - position);
            Limited in = new Limited(part.in(), range.size());
            sink.take(range, in);
            in.skipNBytes(in.left);
            position = range.end();
            given++;
        }
        if (given == before) {
            throw new RangeFormatException("part %s was not asked for".formatted(part.range()));
        }
    }

    /** The first bytes of a stream. */
    private static final class Limited extends InputStream {

        private final InputStream in;
        private long left;

        Limited(InputStream in, long size) {
            this.in = in;
            this.left = size;
        }

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
            int count = in.read(bytes, offset, (int) Math.min(length, left));
            if (count > 0) {
                left -= count;
            }
            return count;
        }
    }
}
