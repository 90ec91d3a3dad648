package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.erofs.ErofsFormat.BLOCK;
import static dev.longshore.stargz.erofs.ErofsFormat.SLOT;
import static dev.longshore.stargz.erofs.ErofsFormat.SUPER_OFFSET;

/**
 * Gives inodes their places. What stands behind an inode must not cross the border of a block; so that little is lost, some blocks stay
 * open for what fits into them.
 */
final class Places {

    private static final int OPEN = 16;

    /** Bytes used of the open blocks, whose numbers are in the other one; -1 for none. */
    private final int[] used = new int[OPEN];

    private final long[] blocks = new long[OPEN];
    private long nextBlock = 1;

    Places() {
        // The rest of the superblock's block is for inodes, too: the root's number must fit 16 bits.
        blocks[0] = 0;
        used[0] = SUPER_OFFSET + 128;
        for (int i = 1; i < OPEN; i++) {
            used[i] = BLOCK;
        }
    }

    /** The place for so many bytes, in the image. Those of more than a block begin one. */
    long take(int size) {
        if (size > BLOCK) {
            long place = nextBlock * BLOCK;
            nextBlock += ErofsFormat.blocks(size);
            return place;
        }
        int best = -1;
        int fullest = 0;
        for (int i = 0; i < OPEN; i++) {
            if (used[i] + size <= BLOCK && (best < 0 || used[i] > used[best])) {
                best = i;
            }
            if (used[i] > used[fullest]) {
                fullest = i;
            }
        }
        if (best < 0) {
            best = fullest;
            blocks[best] = nextBlock++;
            used[best] = 0;
        }
        long place = blocks[best] * BLOCK + used[best];
        used[best] = (used[best] + size + SLOT - 1) / SLOT * SLOT;
        return place;
    }

    /** The first block behind all that was given. */
    long end() {
        return nextBlock;
    }
}
