package dev.longshore.sdk.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.io.File;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;

/**
 * A pipe between this process and a child. This side never blocks for longer than it is told to, whatever the child does, and whoever
 * else has the child's end: a grandchild may keep it for ever. One thread may read and another write; closing waits for neither, so it
 * is for who has seen them end.
 */
public final class ChildPipe implements AutoCloseable {

    /** How often a wait looks whether it is still wanted. */
    private static final int LOOK_MILLIS = 100;

    /** Of what is copied at once. */
    private static final int BUFFER = 256 << 10;

    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;
    private static final int F_SETPIPE_SZ = 1031;
    private static final short POLLIN = 1;
    private static final short POLLOUT = 4;

    private final End readEnd;
    private final End writeEnd;

    /** One end, with the memory that bytes go through. */
    private static final class End {

        private final int fd;
        private final AtomicBoolean closed = new AtomicBoolean();
        private final Memory memory = new Memory(BUFFER);

        End(int fd) {
            this.fd = fd;
        }

        void close() {
            if (closed.compareAndSet(false, true)) {
                FileLibc.close(fd);
                memory.close();
            }
        }
    }

    private ChildPipe(int[] fds) {
        readEnd = new End(fds[0]);
        writeEnd = new End(fds[1]);
    }

    public static ChildPipe open() throws ErrnoException {
        int[] fds = new int[2];
        if (Libc.INSTANCE.pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
            throw new ErrnoException(Native.getLastError(), "pipe2", "");
        }
        // Larger where the kernel allows it; what a pipe holds by itself is enough too.
        int _ = Libc.INSTANCE.fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
        return new ChildPipe(fds);
    }

    /** What a child of this process opens to read from the pipe, while {@link #closeReading} was not called. */
    public File forReading() {
        return path(readEnd);
    }

    /** What a child of this process opens to write to the pipe, while {@link #closeWriting} was not called. */
    public File forWriting() {
        return path(writeEnd);
    }

    /** Under the process' number, so that it means the same in a child. Opened so, the end blocks. */
    private static File path(End end) {
        return new File("/proc/" + ProcessHandle.current().pid() + "/fd/" + end.fd);
    }

    /**
     * Reads what there is, waiting for the first byte.
     *
     * @param wanted asked while there is nothing to read; once it is false, nothing is waited for
     * @return -1 at the end, 0 when it is no longer wanted
     */
    public int read(byte[] buffer, int offset, int length, BooleanSupplier wanted) throws ErrnoException {
        int most = Math.min(length, BUFFER);
        while (true) {
            long count = FileLibc.read(readEnd.fd, readEnd.memory, most);
            if (count >= 0) {
                readEnd.memory.read(0, buffer, offset, (int) count);
                return count == 0 && length > 0 ? -1 : (int) count;
            }
            retry(Native.getLastError(), "read");
            if (!wanted.getAsBoolean()) {
                return 0;
            }
            await(readEnd, POLLIN);
        }
    }

    /**
     * Writes everything.
     *
     * @return whether it did; not if nobody reads any more, or it is no longer wanted
     */
    public boolean write(byte[] bytes, int offset, int length, BooleanSupplier wanted) throws ErrnoException {
        for (int done = 0; done < length; ) {
            int count = Math.min(length - done, BUFFER);
            writeEnd.memory.write(0, bytes, offset + done, count);
            long written = FileLibc.write(writeEnd.fd, writeEnd.memory, count);
            if (written >= 0) {
                done += (int) written;
                continue;
            }
            int errno = Native.getLastError();
            if (errno == Errno.EPIPE) {
                return false;
            }
            retry(errno, "write");
            if (!wanted.getAsBoolean()) {
                return false;
            }
            await(writeEnd, POLLOUT);
        }
        return true;
    }

    private static void retry(int errno, String call) throws ErrnoException {
        if (errno != Errno.EAGAIN && errno != Errno.EINTR) {
            throw new ErrnoException(errno, call, "pipe");
        }
    }

    private static void await(End end, short events) throws ErrnoException {
        byte[] poll = {
            (byte) end.fd, (byte) (end.fd >> 8), (byte) (end.fd >> 16), (byte) (end.fd >> 24), (byte) events, 0, 0, 0
        };
        if (Libc.INSTANCE.poll(poll, new NativeLong(1), LOOK_MILLIS) < 0) {
            retry(Native.getLastError(), "poll");
        }
    }

    /** Gives this process' hold on the reading end up: once the child's is gone, writing is told so. */
    public void closeReading() {
        readEnd.close();
    }

    /** Gives this process' hold on the writing end up: once the child's is gone, reading comes to an end. */
    public void closeWriting() {
        writeEnd.close();
    }

    @Override
    public void close() {
        closeReading();
        closeWriting();
    }
}
