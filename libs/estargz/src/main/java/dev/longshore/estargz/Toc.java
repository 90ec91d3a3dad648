package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;

/**
 * What a table of contents was that has been read.
 *
 * @param digest of its uncompressed bytes: equal to {@link Annotations#TOC_DIGEST} where the layer has that
 * @param jsonBytes its uncompressed bytes
 * @param entries how many
 */
public record Toc(Digest digest, long jsonBytes, long entries) {}
