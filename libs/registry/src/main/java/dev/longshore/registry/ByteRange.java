package dev.longshore.registry;

import dev.longshore.sdk.errors.InvalidArgumentException;

/**
 * Bytes of a blob.
 *
 * @param begin offset of the first
 * @param end offset behind the last
 */
public record ByteRange(long begin, long end) {

    public ByteRange {
        if (begin < 0 || end <= begin) {
            throw new InvalidArgumentException("there are no bytes from %d to before %d".formatted(begin, end));
        }
    }

    public long size() {
        return end - begin;
    }

    /** As a request has it. */
    @Override
    public String toString() {
        return begin + "-" + (end - 1);
    }
}
