package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * A mount that is attached nowhere; closing it before {@link #attach} undoes it. See open_tree(2), mount_setattr(2) and
 * move_mount(2). For one thread.
 */
public final class DetachedMount implements AutoCloseable {

    public static final long MOUNT_ATTR_RDONLY = 1;
    public static final long MOUNT_ATTR_NOSUID = 2;
    public static final long MOUNT_ATTR_NODEV = 4;
    public static final long MOUNT_ATTR_NOEXEC = 8;
    public static final long MOUNT_ATTR_NOATIME = 0x10;
    public static final long MOUNT_ATTR_STRICTATIME = 0x20;
    public static final long MOUNT_ATTR_NODIRATIME = 0x80;

    private static final long MOUNT_ATTR_IDMAP = 0x100000;

    private static final int SYS_OPEN_TREE = 428;
    private static final int SYS_MOVE_MOUNT = 429;
    private static final int SYS_MOUNT_SETATTR = 442;
    private static final long OPEN_TREE_CLONE = 1;
    private static final long OPEN_TREE_CLOEXEC = Folder.O_CLOEXEC;
    private static final long AT_RECURSIVE = 0x8000;
    private static final long MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final int MOUNT_ATTR_SIZE = 32;

    private final int fd;
    private final String subject;

    DetachedMount(int fd, String subject) {
        this.fd = fd;
        this.subject = subject;
    }

    /**
     * A copy of what is at {@code source}, as a bind mount would be.
     *
     * @param recursive whether with the mounts below it
     */
    public static DetachedMount copyOf(Path source, boolean recursive) throws ErrnoException {
        long fd = Libc.INSTANCE
                .syscall(
                        new NativeLong(SYS_OPEN_TREE),
                        (long) FileStat.AT_FDCWD,
                        CString.of(source),
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0))
                .longValue();
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "open_tree", source.toString());
        }
        return new DetachedMount((int) fd, source.toString());
    }

    /**
     * Shows the files as {@code namespace} maps their owners, and sets more attributes; makes the mounts private.
     *
     * @throws ErrnoException {@link Errno#EINVAL} if the file system cannot be mapped
     */
    public void mapIds(UserNamespace namespace, long attributes) throws ErrnoException {
        ByteBuffer attr = ByteBuffer.allocate(MOUNT_ATTR_SIZE).order(ByteOrder.nativeOrder());
        attr.putLong(MOUNT_ATTR_IDMAP | attributes)
                .putLong(0)
                .putLong(MountCalls.MS_PRIVATE)
                .putLong(namespace.fd());
        long result = Libc.INSTANCE
                .syscall(
                        new NativeLong(SYS_MOUNT_SETATTR),
                        (long) fd,
                        new byte[1],
                        FileStat.AT_EMPTY_PATH | AT_RECURSIVE,
                        attr.array(),
                        (long) MOUNT_ATTR_SIZE)
                .longValue();
        if (result != 0) {
            throw new ErrnoException(Native.getLastError(), "mount_setattr", subject);
        }
    }

    /** Makes it appear at {@code target}. */
    public void attach(Path target) throws ErrnoException {
        long result = Libc.INSTANCE
                .syscall(
                        new NativeLong(SYS_MOVE_MOUNT),
                        (long) fd,
                        new byte[1],
                        (long) FileStat.AT_FDCWD,
                        CString.of(target),
                        MOVE_MOUNT_F_EMPTY_PATH)
                .longValue();
        if (result != 0) {
            throw new ErrnoException(Native.getLastError(), "move_mount", subject + " to " + target);
        }
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(fd);
    }
}
