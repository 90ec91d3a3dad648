package dev.longshore.sdk.mount;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.UserNamespace;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Which ids of the host the ids of a user namespace are.
 *
 * @param ranges in order; the first that has an id decides; empty if every id is itself
 */
public record IdMap(List<Range> ranges) {

    /** The id that is none: (uid_t) -1. */
    private static final long INVALID_ID = 0xffffffffL;

    /** What the kernel takes; see user_namespaces(7). */
    private static final int MAX_RANGES = 340;

    public IdMap {
        ranges = List.copyOf(ranges);
    }

    /**
     * Ids that follow each other.
     *
     * @param container the first id in the namespace
     * @param host the first id on the host
     * @param length how many
     */
    public record Range(long container, long host, long length) {

        public Range {
            if (container < 0
                    || host < 0
                    || length < 0
                    || container >= INVALID_ID
                    || host >= INVALID_ID
                    || length >= INVALID_ID
                    || container + length > INVALID_ID
                    || host + length > INVALID_ID) {
                throw new InvalidArgumentException(
                        "id mapping %d:%d:%d leaves the range of 32-bit ids".formatted(container, host, length));
            }
        }
    }

    /**
     * Parses {@code container:host:length[,container:host:length...]}.
     *
     * @param text empty for the map that changes nothing
     * @throws InvalidArgumentException if it is not of that form
     */
    public static IdMap parse(String text) {
        if (text.isEmpty()) {
            return new IdMap(List.of());
        }
        List<Range> ranges = new ArrayList<>();
        for (String part : text.split(",", MAX_RANGES + 1)) {
            String[] numbers = part.split(":", 4);
            if (numbers.length != 3) {
                throw new InvalidArgumentException(
                        "id mapping \"%s\" is not container:host:length[,...]".formatted(text));
            }
            ranges.add(new Range(number(numbers[0], text), number(numbers[1], text), number(numbers[2], text)));
        }
        return new IdMap(ranges);
    }

    private static long number(String digits, String text) {
        if (digits.isEmpty() || digits.length() > 10 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new InvalidArgumentException(
                    "id mapping \"%s\" is not container:host:length[,...]: \"%s\" is no number"
                            .formatted(text, digits));
        }
        return Long.parseLong(digits);
    }

    /**
     * The id on the host.
     *
     * @throws InvalidArgumentException if no range has {@code id}
     */
    public long toHost(long id) {
        if (ranges.isEmpty()) {
            return id;
        }
        for (Range range : ranges) {
            if (id >= range.container && id < range.container + range.length) {
                return range.host + (id - range.container);
            }
        }
        throw new InvalidArgumentException("id %d of the container has no id on the host in %s".formatted(id, this));
    }

    /** The namespace that both maps of {@code options} make. */
    static UserNamespace namespace(MountOptions options) throws IOException {
        return UserNamespace.create(
                parse(options.uidMap()).lines(), parse(options.gidMap()).lines());
    }

    /** As /proc/pid/uid_map wants it. */
    private String lines() {
        StringBuilder lines = new StringBuilder();
        for (Range range : ranges) {
            lines.append(range.container)
                    .append(' ')
                    .append(range.host)
                    .append(' ')
                    .append(range.length)
                    .append('\n');
        }
        return lines.toString();
    }

    /** The form that {@link #parse} takes. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (Range range : ranges) {
            text.append(text.isEmpty() ? "" : ",")
                    .append(range.container)
                    .append(':')
                    .append(range.host)
                    .append(':')
                    .append(range.length);
        }
        return text.toString();
    }
}
