package dev.longshore.stargz.layer;

import dev.longshore.registry.ByteRange;
import java.util.ArrayList;
import java.util.List;

/** What is asked for in one request: the bytes of several streams, and of what is between those that are near each other. */
final class Stretches {

    /** In one request at most. */
    static final int MOST = 32;

    /** Bytes that are not wanted and still come, since a request for each side costs as much where servers do not take two. */
    private static final long GAP = 16 << 10;

    private Stretches() {}

    /** @param streams ascending, none overlapping another */
    static List<ByteRange> of(List<ByteRange> streams) {
        List<ByteRange> joined = new ArrayList<>();
        for (ByteRange stream : streams) {
            if (!joined.isEmpty() && stream.begin() - joined.getLast().end() <= GAP) {
                joined.add(new ByteRange(joined.removeLast().begin(), stream.end()));
            } else {
                joined.add(stream);
            }
        }
        return joined;
    }
}
