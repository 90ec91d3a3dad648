package dev.longshore.stargz.layer;

import dev.longshore.stargz.index.LayerIndex;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The files of a layer that are kept in a local file each, so that the kernel can read one by itself when all of it is here: those from
 * {@link #SIZE} on, and of many of them the largest.
 */
final class BigFiles {

    /** Bytes of a file; of smaller ones the kernel reads all in a few requests. */
    static final long SIZE = 8 << 20;

    /** Each costs a descriptor. */
    private static final int MOST = 16;

    private final int[] inodes;

    private BigFiles(int[] inodes) {
        this.inodes = inodes;
    }

    /** The same for the same index, always. */
    static BigFiles of(LayerIndex index) {
        return new BigFiles(IntStream.rangeClosed(1, index.inodes())
                .filter(inode -> index.isRegular(inode) && index.size(inode) >= SIZE)
                .boxed()
                .sorted(Comparator.comparingLong((Integer inode) -> -index.size(inode))
                        .thenComparing(Comparator.naturalOrder()))
                .limit(MOST)
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray());
    }

    boolean isEmpty() {
        return inodes.length == 0;
    }

    int count() {
        return inodes.length;
    }

    /** Which of them an inode is; negative if it is none. */
    int find(int inode) {
        return Arrays.binarySearch(inodes, inode);
    }

    boolean has(int inode) {
        return find(inode) >= 0;
    }
}
