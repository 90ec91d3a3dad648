package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Instant;

/** What the JDK cannot do to a file; symbolic links are not followed unless a method says so. */
public final class FileCalls {

    /** Of statfs(2). */
    public static final long TMPFS_MAGIC = 0x01021994L;

    /** Of statfs(2). */
    public static final long OVERLAYFS_MAGIC = 0x794c7630L;

    private static final int STATFS_SIZE = 256;
    private static final int STATFS_FLAGS_OFFSET = 80;

    /** Unlike the other ST_... flags, not the same as MS_RELATIME. */
    private static final long ST_RELATIME = 4096;

    private static final int O_WRONLY = 1;
    private static final int O_NOFOLLOW = 0400000;
    private static final int O_CLOEXEC = 02000000;
    private static final int FALLOC_FL_KEEP_SIZE = 1;
    private static final int FALLOC_FL_PUNCH_HOLE = 2;

    private FileCalls() {}

    /** Changes owner and group; -1 leaves one as it is. */
    public static void lchown(Path path, int uid, int gid) throws ErrnoException {
        chown(FileStat.AT_FDCWD, CString.of(path), uid, gid, path.toString());
    }

    static void chown(int folder, byte[] name, int uid, int gid, String subject) throws ErrnoException {
        if (Libc.INSTANCE.fchownat(folder, name, uid, gid, FileStat.AT_SYMLINK_NOFOLLOW) != 0) {
            throw new ErrnoException(Native.getLastError(), "lchown", subject);
        }
    }

    /**
     * Sets all twelve permission bits, whatever the umask. Follows symbolic links, which have no permissions of their
     * own on Linux.
     */
    public static void chmod(Path path, int permissions) throws ErrnoException {
        if (Libc.INSTANCE.fchmodat(FileStat.AT_FDCWD, CString.of(path), permissions, 0) != 0) {
            throw new ErrnoException(Native.getLastError(), "chmod", path.toString());
        }
    }

    /**
     * Makes a device, fifo, socket or empty regular file.
     *
     * @param mode type, see {@link FileStat}, and permission bits, less the umask
     * @param major number of a device; 0 for others
     */
    public static void mknod(Path path, int mode, int major, int minor) throws ErrnoException {
        if (Libc.INSTANCE.mknodat(FileStat.AT_FDCWD, CString.of(path), mode, device(major, minor)) != 0) {
            throw new ErrnoException(Native.getLastError(), "mknod", path.toString());
        }
    }

    /** As makedev(3) of glibc. */
    static long device(int major, int minor) {
        long high = Integer.toUnsignedLong(major);
        long low = Integer.toUnsignedLong(minor);
        return (high & 0xfff) << 8 | (high & ~0xfffL) << 32 | (low & 0xff) | (low & ~0xffL) << 12;
    }

    /** Sets both times, to the nanosecond where the file system keeps them. */
    public static void times(Path path, Instant accessed, Instant modified) throws ErrnoException {
        byte[] times = timespecs(accessed, modified);
        if (Libc.INSTANCE.utimensat(FileStat.AT_FDCWD, CString.of(path), times, FileStat.AT_SYMLINK_NOFOLLOW) != 0) {
            throw new ErrnoException(Native.getLastError(), "utimensat", path.toString());
        }
    }

    /**
     * Gives a part of a regular file back to the disk; it reads as zeros from then on, and the file's size stays. A file system
     * that cannot do that answers {@link Errno#EOPNOTSUPP}.
     */
    public static void punchHole(Path file, long offset, long length) throws ErrnoException {
        int fd = FileLibc.openat(FileStat.AT_FDCWD, CString.of(file), O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "open", file.toString());
        }
        try {
            if (FileLibc.fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length) != 0) {
                throw new ErrnoException(Native.getLastError(), "fallocate", file.toString());
            }
        } finally {
            FileLibc.close(fd);
        }
    }

    /** Two struct timespec. */
    static byte[] timespecs(Instant accessed, Instant modified) {
        ByteBuffer times = ByteBuffer.allocate(32).order(ByteOrder.nativeOrder());
        times.putLong(accessed.getEpochSecond()).putLong(accessed.getNano());
        times.putLong(modified.getEpochSecond()).putLong(modified.getNano());
        return times.array();
    }

    /**
     * The flags of the mount that {@code path} is on, as the MS_... of {@link MountCalls}. Follows symbolic links.
     *
     * @return of MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_NODIRATIME and MS_RELATIME those that are set
     */
    public static long mountFlags(Path path) throws ErrnoException {
        long flags = statfs(path).getLong(STATFS_FLAGS_OFFSET);
        long same = MountCalls.MS_RDONLY
                | MountCalls.MS_NOSUID
                | MountCalls.MS_NODEV
                | MountCalls.MS_NOEXEC
                | MountCalls.MS_NOATIME
                | MountCalls.MS_NODIRATIME;
        return (flags & same) | ((flags & ST_RELATIME) != 0 ? MountCalls.MS_RELATIME : 0);
    }

    /** The type of the file system that {@code path} is on: a magic number of statfs(2). Follows symbolic links. */
    public static long fileSystemType(Path path) throws ErrnoException {
        return statfs(path).getLong(0);
    }

    private static ByteBuffer statfs(Path path) throws ErrnoException {
        byte[] result = new byte[STATFS_SIZE];
        if (Libc.INSTANCE.statfs(CString.of(path), result) != 0) {
            throw new ErrnoException(Native.getLastError(), "statfs", path.toString());
        }
        return ByteBuffer.wrap(result).order(ByteOrder.nativeOrder());
    }
}
