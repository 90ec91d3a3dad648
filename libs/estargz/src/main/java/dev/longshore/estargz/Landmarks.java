package dev.longshore.estargz;

/** Entries that say something about a layer and are no part of its file system. */
public final class Landmarks {

    /** A file at whose offset the prefetched part of a layer ends. */
    public static final String PREFETCH = ".prefetch.landmark";

    /** A file that says that nothing is worth being prefetched. */
    public static final String NO_PREFETCH = ".no.prefetch.landmark";

    /** The table of contents, as an entry of the archive. */
    public static final String TOC = "stargz.index.json";

    private Landmarks() {}

    /** Whether {@code path}, without a leading {@code ./} or slash, is one of them. */
    public static boolean isOne(String path) {
        return path.equals(PREFETCH) || path.equals(NO_PREFETCH) || path.equals(TOC);
    }
}
