package dev.longshore.estargz;

/**
 * What a reader takes from a table of contents that nobody vouches for. Each is checked before memory is taken.
 *
 * @param compressedBytes of the TOC
 * @param jsonBytes of the TOC, uncompressed
 * @param entries how many
 * @param textBytes of one string: a name, a link's target, an attribute's value in base64
 * @param chunkBytes of one chunk, which is in memory as a whole when it is verified
 */
public record TocLimits(long compressedBytes, long jsonBytes, long entries, int textBytes, long chunkBytes) {

    /** About ten times what the biggest layers of today have. */
    public static final TocLimits DEFAULT = new TocLimits(128L << 20, 1L << 30, 2_000_000, 128 << 10, 256L << 20);

    public TocLimits {
        if (compressedBytes < 1 || jsonBytes < 1 || entries < 1 || textBytes < 1 || chunkBytes < 1) {
            throw new IllegalArgumentException("limits must be positive");
        }
        if (compressedBytes > Integer.MAX_VALUE || chunkBytes > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("what is held in memory as a whole must be under 2 GiB");
        }
    }
}
