package dev.longshore.sdk.tar;

/**
 * What a reader takes from an untrusted archive. Each is checked before memory is taken.
 *
 * @param entries how many entries
 * @param nameBytes bytes of a name or link target
 * @param extensionBytes bytes of the extended headers of one entry, PAX records and GNU long names together, and of all
 *     global ones that are in force
 * @param segments data segments of one sparse file
 */
public record TarLimits(long entries, int nameBytes, int extensionBytes, int segments) {

    /** Ten million entries, Linux' PATH_MAX, Go's limit on extended headers, and 4 MiB of sparse map. */
    public static final TarLimits DEFAULT = new TarLimits(10_000_000, 4096, 1 << 20, 1 << 18);

    public TarLimits {
        if (entries < 0 || nameBytes < 1 || extensionBytes < 1 || segments < 1) {
            throw new IllegalArgumentException("limits must be positive");
        }
    }
}
