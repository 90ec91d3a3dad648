package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The reading end of a named pipe, which also holds a writing end: opening it does not wait for a writer, and it does not
 * end when the last writer leaves. Reading never blocks; {@link Epoll} says when there is something. For one thread.
 */
public final class Fifo implements AutoCloseable {

    private static final int O_RDWR = 2;
    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;

    private final Path path;
    private final int fd;
    private boolean closed;

    private Fifo(Path path, int fd) {
        this.path = path;
        this.fd = fd;
    }

    /**
     * Makes a named pipe; one that is there is left as it is.
     *
     * @param mode permission bits, less the process' umask
     */
    public static void make(Path path, int mode) throws ErrnoException {
        if (Libc.INSTANCE.mkfifo(c(path), mode) != 0 && Native.getLastError() != Errno.EEXIST) {
            throw new ErrnoException(Native.getLastError(), "mkfifo", path.toString());
        }
    }

    public static Fifo open(Path path) throws ErrnoException {
        int fd = Libc.INSTANCE.open(c(path), O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "open", path.toString());
        }
        return new Fifo(path, fd);
    }

    /** For {@link Epoll}. */
    public int fd() {
        return fd;
    }

    /** @return bytes read into {@code buffer}; 0 if there are none now */
    public int read(byte[] buffer) throws ErrnoException {
        long count =
                Libc.INSTANCE.read(fd, buffer, new NativeLong(buffer.length)).longValue();
        if (count >= 0) {
            return (int) count;
        }
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
            return 0;
        }
        throw new ErrnoException(errno, "read", path.toString());
    }

    private static byte[] c(Path path) {
        return (path + "\0").getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.INSTANCE.close(fd);
        }
    }
}
