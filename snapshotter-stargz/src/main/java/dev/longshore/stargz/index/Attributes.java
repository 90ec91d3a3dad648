package dev.longshore.stargz.index;

/**
 * What stat(2) says of an inode.
 *
 * @param mode type and permission bits, see inode(7)
 * @param size bytes of a regular file, or of a symbolic link's target
 * @param mtimeNanos 0 to 999,999,999
 * @param links names of a file; 2 and the number of its folders for a folder
 * @param rdev device number as the kernel passes it: minor bits 0 to 7, major 8 to 19, the rest of the minor above
 */
public record Attributes(
        int inode, int mode, long size, long mtimeSeconds, int mtimeNanos, int uid, int gid, int links, int rdev) {}
