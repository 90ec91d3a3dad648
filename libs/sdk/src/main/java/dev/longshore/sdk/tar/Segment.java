package dev.longshore.sdk.tar;

/**
 * A run of stored bytes of a sparse file.
 *
 * @param offset where in the file it belongs
 * @param length bytes; 0 is allowed, as GNU tar ends its maps with such a segment
 */
public record Segment(long offset, long length) {}
