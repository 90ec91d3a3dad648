package dev.longshore.stargz.index;

/**
 * How much of a table of contents is taken, because it is somebody else's.
 *
 * @param entries of the table, and folders that had to be made for them
 * @param textBytes of names, targets of symbolic links and extended attributes together
 * @param chunkBytes of one chunk, which is held in memory as a whole
 */
public record IndexLimits(int entries, int textBytes, long chunkBytes) {

    /** A file system of a whole distribution with all its packages has less than half of that. */
    public static final IndexLimits DEFAULT = new IndexLimits(2_000_000, 256 << 20, 64L << 20);

    public IndexLimits {
        if (entries < 1 || entries > 1 << 24 || textBytes < 1 || textBytes > 1 << 30 || chunkBytes < 1) {
            throw new IllegalArgumentException(
                    "limits out of range: entries 1 to 2^24, text 1 to 2^30 bytes, chunks at least 1 byte");
        }
    }
}
