package dev.longshore.content.ipfs;

import java.util.BitSet;

/**
 * Which blocks on the disk this process has verified, by their ids in the map, which are not used again. Safe for use by many
 * threads.
 */
final class Verified {

    private final BitSet blocks = new BitSet();

    synchronized boolean has(long block) {
        long bit = bit(block);
        return bit <= Integer.MAX_VALUE && blocks.get((int) bit);
    }

    synchronized void add(long block) {
        long bit = bit(block);
        if (bit <= Integer.MAX_VALUE) {
            blocks.set((int) bit);
        }
    }

    /** Ids above zero and below it have every other bit. */
    private static long bit(long block) {
        return block < 0 ? -2 * block : 2 * block + 1;
    }
}
