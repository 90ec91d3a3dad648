package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Instant;
import java.util.function.Supplier;

/**
 * What statx(2) says of a file; symbolic links are not followed.
 *
 * @param mode type and permission bits, see inode(7)
 * @param inode number, unique together with {@code device}
 * @param device major number in the upper half, minor number in the lower
 * @param specialDevice the same of the device that the file is; 0 if it is none
 * @param size in bytes
 * @param blocks allocated, of 512 bytes each whatever the file system's block size is
 */
public record FileStat(
        int mode,
        int uid,
        int gid,
        int links,
        long inode,
        long device,
        long specialDevice,
        long size,
        long blocks,
        Instant modified) {

    public static final int S_IFMT = 0170000;
    public static final int S_IFSOCK = 0140000;
    public static final int S_IFLNK = 0120000;
    public static final int S_IFREG = 0100000;
    public static final int S_IFBLK = 0060000;
    public static final int S_IFDIR = 0040000;
    public static final int S_IFCHR = 0020000;
    public static final int S_IFIFO = 0010000;

    static final int AT_FDCWD = -100;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final int AT_EMPTY_PATH = 0x1000;

    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_SIZE = 256;

    /** @throws ErrnoException as statx(2) says */
    public static FileStat of(Path path) throws ErrnoException {
        byte[] result = new byte[STATX_SIZE];
        if (Libc.INSTANCE.statx(AT_FDCWD, CString.of(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, result) != 0) {
            throw new ErrnoException(Native.getLastError(), "statx", path.toString());
        }
        return of(result);
    }

    static FileStat at(int folder, byte[] name, Supplier<String> subject) throws ErrnoException {
        byte[] result = new byte[STATX_SIZE];
        int flags = AT_SYMLINK_NOFOLLOW | (name[0] == 0 ? AT_EMPTY_PATH : 0);
        if (FileLibc.statx(folder, name, flags, STATX_BASIC_STATS, result) != 0) {
            throw new ErrnoException(Native.getLastError(), "statx", subject.get());
        }
        return of(result);
    }

    private static FileStat of(byte[] result) {
        ByteBuffer statx = ByteBuffer.wrap(result).order(ByteOrder.nativeOrder());
        return new FileStat(
                Short.toUnsignedInt(statx.getShort(28)),
                statx.getInt(20),
                statx.getInt(24),
                statx.getInt(16),
                statx.getLong(32),
                device(statx.getInt(136), statx.getInt(140)),
                device(statx.getInt(128), statx.getInt(132)),
                statx.getLong(40),
                statx.getLong(48),
                Instant.ofEpochSecond(statx.getLong(112), statx.getInt(120)));
    }

    private static long device(int major, int minor) {
        return Integer.toUnsignedLong(major) << 32 | Integer.toUnsignedLong(minor);
    }

    public boolean isFolder() {
        return (mode & S_IFMT) == S_IFDIR;
    }

    public boolean isRegularFile() {
        return (mode & S_IFMT) == S_IFREG;
    }

    public boolean isSymbolicLink() {
        return (mode & S_IFMT) == S_IFLNK;
    }

    public boolean isCharacterDevice() {
        return (mode & S_IFMT) == S_IFCHR;
    }

    /** The bits 07777 of {@code mode}. */
    public int permissions() {
        return mode & 07777;
    }
}
