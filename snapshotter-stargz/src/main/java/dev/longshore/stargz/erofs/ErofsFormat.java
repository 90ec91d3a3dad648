package dev.longshore.stargz.erofs;

/**
 * Numbers of the kernel's {@code erofs_fs.h}. All on the disk is little-endian.
 *
 * @see <a href="https://docs.kernel.org/filesystems/erofs.html">EROFS</a>
 */
final class ErofsFormat {

    static final int BLOCK = 4096;
    static final int BLOCK_BITS = 12;

    static final int SUPER_OFFSET = 1024;
    static final int MAGIC = 0xe0f5e1e2;
    static final int COMPAT_CHECKSUM = 1;

    /** An inode's number is its place in the image in these units. */
    static final int SLOT = 32;

    static final int INODE = 64;
    static final int LAYOUT_PLAIN = 0;
    /** What is behind the last whole block stands behind the inode. */
    static final int LAYOUT_INLINE = 2;

    static final int DIRENT = 12;

    static final int XATTR_HEADER = 12;
    static final int XATTR_ENTRY = 4;

    private ErofsFormat() {}

    /** Bytes of the table behind the image: for each inode's number in the index, from 0 on, its number in the image. */
    static int placesBytes(int inodes) {
        return (inodes + 1) * Integer.BYTES;
    }

    static long blocks(long bytes) {
        return (bytes + BLOCK - 1) >> BLOCK_BITS;
    }
}
