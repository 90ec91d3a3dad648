package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A file that has been looked up below a root, held open, so that calls which take a path reach that file and no other. */
public final class PathHandle implements AutoCloseable {

    private static final int SYS_OPENAT2 = 437;
    private static final int OPEN_HOW_SIZE = 24;
    static final long RESOLVE_NO_XDEV = 0x01;
    static final long RESOLVE_NO_SYMLINKS = 0x04;
    static final long RESOLVE_NO_MAGICLINKS = 0x02;
    static final long RESOLVE_IN_ROOT = 0x10;

    private final int fd;

    private PathHandle(int fd) {
        this.fd = fd;
    }

    /**
     * Looks {@code path} up as a process that had {@code root} as its root folder would: neither {@code ..} nor a symbolic
     * link leads out of it. Goes through mounts.
     *
     * @throws ErrnoException as openat2(2) says; {@link Errno#ENOSYS} before Linux 5.6
     */
    public static PathHandle inRoot(Path root, String path) throws ErrnoException {
        try (Folder folder = Folder.open(root)) {
            int fd = openAt(
                    folder.fd(),
                    path.getBytes(StandardCharsets.UTF_8),
                    Folder.O_PATH | Folder.O_CLOEXEC,
                    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
            if (fd < 0) {
                throw new ErrnoException(Native.getLastError(), "openat2 in " + root, path);
            }
            return new PathHandle(fd);
        }
    }

    /** @return the descriptor, or -1 with the error number in {@link Native#getLastError} */
    static int openAt(int folder, byte[] path, long flags, long resolve) {
        ByteBuffer how = ByteBuffer.allocate(OPEN_HOW_SIZE).order(ByteOrder.nativeOrder());
        how.putLong(flags).putLong(0).putLong(resolve);
        return Libc.INSTANCE
                .syscall(
                        new NativeLong(SYS_OPENAT2), (long) folder, CString.of(path), how.array(), (long) OPEN_HOW_SIZE)
                .intValue();
    }

    /** A path that leads to the file while this is open. */
    public Path path() {
        return Path.of("/proc/self/fd", Integer.toString(fd));
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(fd);
    }
}
