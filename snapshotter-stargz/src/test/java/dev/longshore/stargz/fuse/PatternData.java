package dev.longshore.stargz.fuse;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/** Files whose every byte follows from the inode and the offset. */
class PatternData implements FileData {

    final AtomicInteger remoteReads = new AtomicInteger();

    /** The byte at an offset. */
    static byte at(int inode, long offset) {
        long x = (offset >> 3) * 0x9e3779b97f4a7c15L + inode * 0xbf58476d1ce4e5b9L;
        x ^= x >>> 29;
        return (byte) (x >>> (8 * (offset & 7)));
    }

    static void fill(int inode, long offset, ByteBuffer to) {
        for (long at = offset; to.hasRemaining(); at++) {
            to.put(at(inode, at));
        }
    }

    static byte[] bytes(int inode, long offset, int length) {
        byte[] bytes = new byte[length];
        fill(inode, offset, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /** Whether it takes more than memory; those reads go to {@link #read}. */
    boolean isRemote(int inode) {
        return false;
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to) throws IOException {
        remoteReads.incrementAndGet();
        fill(inode, offset, to);
    }

    @Override
    public boolean readLocal(int inode, long offset, ByteBuffer to) {
        if (isRemote(inode)) {
            return false;
        }
        fill(inode, offset, to);
        return true;
    }
}
