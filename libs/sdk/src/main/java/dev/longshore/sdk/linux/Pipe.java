package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.io.File;
import java.util.Arrays;

/**
 * A pipe for a child's output that is read after the child has ended, without a thread: what a pipe holds (64 KiB) is
 * all that the child can write. A grandchild that keeps it open does not matter, as reading never blocks.
 */
public final class Pipe implements AutoCloseable {

    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;
    private static final int CAPACITY = 64 << 10;

    private final int readEnd;
    private final int writeEnd;
    private boolean closed;

    public Pipe() throws ErrnoException {
        int[] fds = new int[2];
        if (Libc.INSTANCE.pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
            throw new ErrnoException(Native.getLastError(), "pipe2", "");
        }
        readEnd = fds[0];
        writeEnd = fds[1];
    }

    /** For {@link ProcessBuilder.Redirect#to}. Opened so, the writing end blocks when the pipe is full. */
    public File writeEnd() {
        return new File("/proc/self/fd/" + writeEnd);
    }

    /** What has been written so far and was not read before. */
    public byte[] readAvailable() throws ErrnoException {
        byte[] buffer = new byte[CAPACITY];
        long count = Libc.INSTANCE
                .read(readEnd, buffer, new NativeLong(buffer.length))
                .longValue();
        if (count >= 0) {
            return Arrays.copyOf(buffer, (int) count);
        }
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN) {
            return new byte[0];
        }
        throw new ErrnoException(errno, "read", "pipe");
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.INSTANCE.close(readEnd);
            Libc.INSTANCE.close(writeEnd);
        }
    }
}
