package dev.longshore.estargz;

import dev.longshore.sdk.compress.Compression;

/** The kinds of layers that can be read a chunk at a time. */
public enum LayerFormat {
    /** Gzip, the TOC in the blob. */
    ESTARGZ(Compression.GZIP),
    /** Gzip in the way of CRFS, which eStargz came from: no digests. */
    STARGZ(Compression.GZIP),
    /** Gzip, the TOC in a blob of its own. */
    EXTERNAL_TOC(Compression.GZIP),
    /** Zstd, the TOC in a skippable frame. */
    ZSTD_CHUNKED(Compression.ZSTD);

    private final Compression compression;

    LayerFormat(Compression compression) {
        this.compression = compression;
    }

    /** Of the chunks. */
    public Compression compression() {
        return compression;
    }
}
