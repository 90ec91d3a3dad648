package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;

/**
 * What a table of contents was that has been read.
 *
 * @param digest of its uncompressed bytes: equal to {@link Annotations#TOC_DIGEST} where the layer has that
 * @param compressed digest of its bytes as they are in the layer: what zstd:chunked layers are promised by
 * @param jsonBytes its uncompressed bytes
 * @param entries how many
 */
public record Toc(Digest digest, Digest compressed, long jsonBytes, long entries) {}
