package dev.longshore.stargz.index;

/**
 * A part of a file that is fetched and verified as one.
 *
 * @param number in the layer; counts in the order in which the chunks are in the blob
 * @param inode the file's
 * @param fileOffset where in the file it begins
 * @param size bytes, at least 1
 * @param blobOffset where in the blob the compressed stream with the chunk begins
 * @param blobEnd where the next stream begins, or the streams end
 * @param innerOffset where in that stream, uncompressed, the chunk begins
 */
public record Chunk(
        int number, int inode, long fileOffset, long size, long blobOffset, long blobEnd, long innerOffset) {}
