package dev.longshore.estargz;

/** Annotations of layers' descriptors. */
public final class Annotations {

    /** Digest of the uncompressed TOC, whatever the layer is compressed with. */
    public static final String TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest";

    /** Bytes of the uncompressed layer, for containers/storage. */
    public static final String UNCOMPRESSED_SIZE = "io.containers.estargz.uncompressed-size";

    /** Digest of the compressed TOC of zstd:chunked; containers/storage's name of it. */
    public static final String ZSTD_CHECKSUM = "io.github.containers.zstd-chunked.manifest-checksum";

    /** {@code offset:length:uncompressed length:type} of the TOC of zstd:chunked, in containers/storage's name. */
    public static final String ZSTD_POSITION = "io.github.containers.zstd-chunked.manifest-position";

    /** {@link #ZSTD_CHECKSUM} as the stargz snapshotter and older programs of containers/storage have it. */
    public static final String STARGZ_ZSTD_CHECKSUM = "io.containers.zstd-chunked.manifest-checksum";

    /** {@link #ZSTD_POSITION} as the stargz snapshotter and older programs of containers/storage have it. */
    public static final String STARGZ_ZSTD_POSITION = "io.containers.zstd-chunked.manifest-position";

    private Annotations() {}
}
