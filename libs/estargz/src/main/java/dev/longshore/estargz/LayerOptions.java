package dev.longshore.estargz;

import java.util.List;

/**
 * How a layer is written.
 *
 * @param chunkBytes of a file in one stream at most
 * @param level of the compression: 1 to 9 for gzip, 1 to 19 for zstd
 * @param prioritized paths of files that come first, in this order, before the landmark; none for no prefetching
 * @param threads that compress
 */
public record LayerOptions(int chunkBytes, int level, List<String> prioritized, int threads) {

    /** What the stargz snapshotter's converter has. */
    public static final int DEFAULT_CHUNK_BYTES = 4 << 20;

    public static final int MIN_CHUNK_BYTES = 512;
    public static final int MAX_CHUNK_BYTES = 64 << 20;

    public LayerOptions {
        prioritized = List.copyOf(prioritized);
        if (chunkBytes < MIN_CHUNK_BYTES || chunkBytes > MAX_CHUNK_BYTES) {
            throw new IllegalArgumentException(
                    "chunks have from %d to %d bytes, not %d".formatted(MIN_CHUNK_BYTES, MAX_CHUNK_BYTES, chunkBytes));
        }
        if (threads < 1) {
            throw new IllegalArgumentException("no thread is left to compress");
        }
    }
}
