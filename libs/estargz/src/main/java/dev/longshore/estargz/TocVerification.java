package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Map;

/** What a table of contents is held to. */
public sealed interface TocVerification {

    /** @param digest of the uncompressed TOC */
    record Uncompressed(Digest digest) implements TocVerification {}

    /** @param digest of the compressed TOC, as zstd:chunked has it */
    record Compressed(Digest digest) implements TocVerification {}

    /** Nothing says what the TOC should be: what it says cannot be trusted. */
    record Absent() implements TocVerification {}

    /**
     * What a layer's annotations say.
     *
     * @throws InvalidArgumentException if one of them is no digest
     */
    static TocVerification of(Map<String, String> annotations) {
        String uncompressed = annotations.getOrDefault(Annotations.TOC_DIGEST, "");
        if (!uncompressed.isEmpty()) {
            return new Uncompressed(Digest.parse(uncompressed));
        }
        String compressed = annotations.getOrDefault(
                Annotations.ZSTD_CHECKSUM, annotations.getOrDefault(Annotations.STARGZ_ZSTD_CHECKSUM, ""));
        return compressed.isEmpty() ? new Absent() : new Compressed(Digest.parse(compressed));
    }
}
