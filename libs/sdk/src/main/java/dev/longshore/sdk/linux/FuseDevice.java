package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A descriptor of {@code /dev/fuse}: one connection with the kernel, one mount. Any number of threads may read requests and write
 * answers; a read blocks until there is a request, so it is for platform threads. See fuse(4).
 *
 * <p>The connection lives as long as some process has the descriptor: what another one has can be taken with {@link #takeFrom}.
 */
public final class FuseDevice implements AutoCloseable {

    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 02000000;
    private static final int F_DUPFD_CLOEXEC = 1030;

    /** {@code _IOW(229, 1, struct fuse_backing_map)}. */
    private static final long FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501L;

    /** {@code _IOW(229, 2, uint32_t)}. */
    private static final long FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502L;

    private final int fd;
    private final AtomicBoolean closed = new AtomicBoolean();

    private FuseDevice(int fd) {
        this.fd = fd;
    }

    /** @throws ErrnoException as open(2) says; {@link Errno#ENOENT} or {@link Errno#ENODEV} if the kernel has no FUSE */
    public static FuseDevice open() throws ErrnoException {
        int fd = FileLibc.openat(FileStat.AT_FDCWD, CString.of("/dev/fuse"), O_RDWR | O_CLOEXEC, 0);
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "open", "/dev/fuse");
        }
        return new FuseDevice(fd);
    }

    /**
     * The connection that another process holds.
     *
     * @param descriptor its number there
     * @throws ErrnoException as pidfd_getfd(2) says; {@link Errno#EBADF} if it has no such descriptor
     */
    public static FuseDevice takeFrom(PidFd process, int descriptor) throws ErrnoException {
        return new FuseDevice(process.copyOf(descriptor));
    }

    /** The number of the descriptor in this process. */
    public int descriptor() {
        return fd;
    }

    /** A further descriptor of the same connection, closed when a program is executed. */
    public FuseDevice duplicate() throws ErrnoException {
        int copy = Libc.INSTANCE.fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            throw new ErrnoException(Native.getLastError(), "fcntl", "descriptor " + fd);
        }
        return new FuseDevice(copy);
    }

    /**
     * Mounts the connection's file system, for all users, with the kernel checking permissions. The kernel sends a request at once.
     *
     * @param subtype shown behind {@code fuse.} as the type
     * @param flags of {@link MountCalls}
     * @throws ErrnoException as mount(2) says
     */
    public void mount(Path target, String source, String subtype, long flags) throws ErrnoException {
        MountCalls.mount(
                source,
                target,
                "fuse." + subtype,
                flags,
                "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions".formatted(fd));
    }

    /**
     * Waits for the next request.
     *
     * @param to at least 8 KiB, or what was promised for writes; its position and limit mean nothing
     * @return bytes of the request; -1 once the file system is unmounted
     */
    public int read(NativeBuffer to) throws ErrnoException {
        while (true) {
            long count = FileLibc.read(fd, to.memory(), to.size());
            if (count >= 0) {
                return (int) count;
            }
            int errno = Native.getLastError();
            if (errno == Errno.ENODEV) {
                return -1;
            }
            // ENOENT: the request was taken back while it was read.
            if (errno != Errno.EINTR && errno != Errno.ENOENT && errno != Errno.EAGAIN) {
                throw new ErrnoException(errno, "read", "/dev/fuse");
            }
        }
    }

    /**
     * Writes an answer or a notification.
     *
     * @return whether somebody waited for it; not if the request was taken back, or the file system is unmounted
     */
    public boolean write(NativeBuffer from, int length) throws ErrnoException {
        while (FileLibc.write(fd, from.memory(), length) < 0) {
            int errno = Native.getLastError();
            if (errno == Errno.ENOENT || errno == Errno.ENODEV) {
                return false;
            }
            if (errno != Errno.EINTR) {
                throw new ErrnoException(errno, "write", "/dev/fuse");
            }
        }
        return true;
    }

    /**
     * Tells the kernel of a file that it may read from itself, when an answer to an open says so. The file may be changed or removed
     * afterwards, but what is open stays that.
     *
     * @return its number for answers; empty if the kernel does not take it: it has no passthrough, it was not asked for, or the file's
     *     file system is itself stacked
     */
    public OptionalInt openBacking(Path file) throws ErrnoException {
        int backing = FileLibc.openat(FileStat.AT_FDCWD, CString.of(file), O_CLOEXEC, 0);
        if (backing < 0) {
            throw new ErrnoException(Native.getLastError(), "open", file.toString());
        }
        try {
            byte[] map = ByteBuffer.allocate(16)
                    .order(ByteOrder.nativeOrder())
                    .putInt(backing)
                    .array();
            int id = Libc.INSTANCE.ioctl(fd, new NativeLong(FUSE_DEV_IOC_BACKING_OPEN), map);
            return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
        } finally {
            FileLibc.close(backing);
        }
    }

    /** Takes back what {@link #openBacking} told; files that were opened with it stay open. */
    public void closeBacking(int id) throws ErrnoException {
        byte[] number =
                ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt(id).array();
        if (Libc.INSTANCE.ioctl(fd, new NativeLong(FUSE_DEV_IOC_BACKING_CLOSE), number) < 0) {
            throw new ErrnoException(Native.getLastError(), "ioctl FUSE_DEV_IOC_BACKING_CLOSE", Integer.toString(id));
        }
    }

    /** Gives the descriptor up; nobody may read from it any more. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            FileLibc.close(fd);
        }
    }

    @Override
    public String toString() {
        return "/dev/fuse, descriptor " + fd;
    }
}
