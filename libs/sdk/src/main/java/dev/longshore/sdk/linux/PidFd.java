package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * A process, held by a descriptor: it never means another process, whatever becomes of the pid. See pidfd_open(2).
 *
 * <p>Exit statuses are those of a shell: the exit code, or 128 plus the number of the signal. Safe for use by many
 * threads until closed.
 */
public final class PidFd implements AutoCloseable {

    /** The same number on all architectures. */
    private static final int SYS_PIDFD_SEND_SIGNAL = 424;

    private static final int SYS_PIDFD_OPEN = 434;
    private static final int SYS_PIDFD_GETFD = 438;

    /** {@code _IOWR(0xFF, 11, struct pidfd_info)} with the first published size of that structure. */
    private static final long PIDFD_GET_INFO = 0xC040FF0BL;

    private static final int PIDFD_INFO_SIZE = 64;
    private static final int PIDFD_INFO_EXIT_CODE_OFFSET = 60;
    private static final long PIDFD_INFO_EXIT = 8;

    private static final int POLLIN = 1;

    private static final int P_PIDFD = 3;
    private static final int WNOHANG = 1;
    private static final int WEXITED = 4;
    private static final int SIGINFO_SIZE = 128;
    private static final int SIGINFO_CODE_OFFSET = 8;
    private static final int SIGINFO_PID_OFFSET = 16;
    private static final int SIGINFO_STATUS_OFFSET = 24;
    private static final int CLD_EXITED = 1;

    private final int pid;
    private final int fd;
    private boolean closed;

    private PidFd(int pid, int fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /** @throws ErrnoException {@link Errno#ESRCH} if there is no such process, or it has been reaped */
    public static PidFd open(int pid) throws ErrnoException {
        int fd = Libc.INSTANCE.syscall(new NativeLong(SYS_PIDFD_OPEN), pid, 0).intValue();
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "pidfd_open", Integer.toString(pid));
        }
        return new PidFd(pid, fd);
    }

    public int pid() {
        return pid;
    }

    /** For {@link Epoll}: readable once the process has ended. */
    public int fd() {
        return fd;
    }

    /**
     * Waits until the process has ended; blocks the carrier of a virtual thread.
     *
     * @return whether it has
     */
    public boolean awaitEnd(Duration timeout) throws ErrnoException {
        long end = System.nanoTime() + timeout.toNanos();
        while (true) {
            ByteBuffer pollfd = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
            pollfd.putInt(0, fd).putShort(4, (short) POLLIN);
            long millis = Math.max(0, (end - System.nanoTime() + 999_999) / 1_000_000);
            int ready =
                    Libc.INSTANCE.poll(pollfd.array(), new NativeLong(1), (int) Math.min(millis, Integer.MAX_VALUE));
            if (ready >= 0) {
                return ready > 0;
            }
            if (Native.getLastError() != Errno.EINTR) {
                throw new ErrnoException(Native.getLastError(), "poll pidfd of", Integer.toString(pid));
            }
        }
    }

    /**
     * How a process that need not be our child ended. Empty while it runs, while its parent has not reaped it, and
     * always on kernels before 6.15.
     */
    public OptionalInt exitStatus() {
        ByteBuffer info = ByteBuffer.allocate(PIDFD_INFO_SIZE).order(ByteOrder.nativeOrder());
        info.putLong(0, PIDFD_INFO_EXIT);
        int result = Libc.INSTANCE.ioctl(fd, new NativeLong(PIDFD_GET_INFO), info.array());
        if (result != 0 || (info.getLong(0) & PIDFD_INFO_EXIT) == 0) {
            return OptionalInt.empty();
        }
        return OptionalInt.of(fromWaitStatus(info.getInt(PIDFD_INFO_EXIT_CODE_OFFSET)));
    }

    /**
     * Reaps the process, which must be our child.
     *
     * @return its exit status; empty while it runs
     * @throws ErrnoException {@link Errno#ECHILD} if it is not our child, or was reaped
     */
    public OptionalInt reap() throws ErrnoException {
        return waitid(WEXITED | WNOHANG);
    }

    /** As {@link #reap}, but waits for the end; a blocking system call, so for platform threads. */
    public int awaitAndReap() throws ErrnoException {
        while (true) {
            try {
                OptionalInt status = waitid(WEXITED);
                if (status.isPresent()) {
                    return status.getAsInt();
                }
            } catch (ErrnoException e) {
                if (e.errno() != Errno.EINTR) {
                    throw e;
                }
            }
        }
    }

    private OptionalInt waitid(int options) throws ErrnoException {
        ByteBuffer siginfo = ByteBuffer.allocate(SIGINFO_SIZE).order(ByteOrder.nativeOrder());
        if (Libc.INSTANCE.waitid(P_PIDFD, fd, siginfo.array(), options, null) != 0) {
            throw new ErrnoException(Native.getLastError(), "waitid", Integer.toString(pid));
        }
        if (siginfo.getInt(SIGINFO_PID_OFFSET) == 0) {
            return OptionalInt.empty();
        }
        int status = siginfo.getInt(SIGINFO_STATUS_OFFSET);
        return OptionalInt.of(siginfo.getInt(SIGINFO_CODE_OFFSET) == CLD_EXITED ? status : 128 + status);
    }

    /** @throws ErrnoException {@link Errno#ESRCH} if the process has ended, or this was closed */
    public synchronized void signal(int signal) throws ErrnoException {
        if (closed) { // the number may be another file's by now
            throw new ErrnoException(Errno.ESRCH, "pidfd_send_signal", Integer.toString(pid));
        }
        long result = Libc.INSTANCE
                .syscall(new NativeLong(SYS_PIDFD_SEND_SIGNAL), fd, signal, 0L, 0)
                .longValue();
        if (result != 0) {
            throw new ErrnoException(Native.getLastError(), "pidfd_send_signal", Integer.toString(pid));
        }
    }

    /** A copy of one of the process' descriptors, for {@link FuseDevice}; see pidfd_getfd(2). */
    synchronized int copyOf(int descriptor) throws ErrnoException {
        if (closed) {
            throw new ErrnoException(Errno.ESRCH, "pidfd_getfd", Integer.toString(pid));
        }
        int copy = Libc.INSTANCE
                .syscall(new NativeLong(SYS_PIDFD_GETFD), fd, descriptor, 0)
                .intValue();
        if (copy < 0) {
            throw new ErrnoException(
                    Native.getLastError(), "pidfd_getfd", "descriptor %d of %d".formatted(descriptor, pid));
        }
        return copy;
    }

    /** See the macros of wait(2). */
    static int fromWaitStatus(int status) {
        int signal = status & 0x7f;
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.INSTANCE.close(fd);
        }
    }
}
