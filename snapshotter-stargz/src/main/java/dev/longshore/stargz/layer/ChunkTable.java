package dev.longshore.stargz.layer;

import dev.longshore.stargz.index.Chunk;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;

/**
 * The chunks of a layer by their numbers, and where each lies in a local file. Big files have one of their own; of the others there is one
 * after another in a common one, each from a multiple of {@link #ALIGNMENT} on, so that what one file has can be given back to the disk
 * without its neighbors.
 */
final class ChunkTable {

    static final int ALIGNMENT = 4096;

    /** Compressed bytes of one stream, which is in memory as a whole. */
    static final long MAX_STREAM = 24L << 20;

    private final LayerIndex index;
    private final int[] inodes;
    private final int[] sizes;
    private final long[] positions;
    private final BigFiles big;

    /** @throws BadLayerException if a stream is too large */
    ChunkTable(LayerIndex index, BigFiles big) throws IOException {
        this.index = index;
        this.big = big;
        inodes = new int[index.chunks()];
        sizes = new int[index.chunks()];
        positions = new long[index.chunks()];
        long[] next = {0};
        int[] last = {0};
        index.forEachChunk(0, chunk -> {
            if (chunk.inode() != last[0]) {
                next[0] = (next[0] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
                last[0] = chunk.inode();
            }
            if (chunk.blobEnd() - chunk.blobOffset() > MAX_STREAM) {
                throw new BadLayerException("a chunk of %s is in %d compressed bytes, the limit is %d"
                        .formatted(index.path(chunk.inode()), chunk.blobEnd() - chunk.blobOffset(), MAX_STREAM));
            }
            inodes[chunk.number()] = chunk.inode();
            sizes[chunk.number()] = Math.toIntExact(chunk.size());
            if (big.has(chunk.inode())) {
                positions[chunk.number()] = chunk.fileOffset();
            } else {
                positions[chunk.number()] = next[0];
                next[0] += chunk.size();
            }
            return true;
        });
    }

    int count() {
        return inodes.length;
    }

    Chunk chunk(int number) {
        int inode = inodes[number];
        return index.chunkAt(inode, number - index.firstChunk(inode));
    }

    int inode(int number) {
        return inodes[number];
    }

    /** Uncompressed bytes. */
    int size(int number) {
        return sizes[number];
    }

    /** Where in its local file it begins. */
    long position(int number) {
        return positions[number];
    }

    BigFiles bigFiles() {
        return big;
    }

    /** Which big file it is of; negative for a chunk in the common local file. */
    int bigFile(int number) {
        return big.find(inodes[number]);
    }

    /** The number of a file's first chunk. */
    int first(int inode) {
        return index.firstChunk(inode);
    }

    /** The number behind a file's last chunk. */
    int end(int inode) {
        return index.firstChunk(inode) + index.chunkCount(inode);
    }

    /** The number of the first chunk of the stream that {@code number} is in. */
    int streamStart(int number) {
        long offset = index.blobOffset(number);
        int first = number;
        while (first > 0 && index.blobOffset(first - 1) == offset) {
            first--;
        }
        return first;
    }

    /** The number behind the last chunk of the stream that {@code number} is in. */
    int streamEnd(int number) {
        long offset = index.blobOffset(number);
        int next = number + 1;
        while (next < inodes.length && index.blobOffset(next) == offset) {
            next++;
        }
        return next;
    }
}
