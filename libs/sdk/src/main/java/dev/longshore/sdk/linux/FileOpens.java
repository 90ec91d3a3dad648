package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells which files of a file system are opened or executed, by anybody but this process, through whatever mount of it, in
 * any mount namespace. Needs CAP_SYS_ADMIN. For one thread, a platform one. See fanotify(7).
 */
public final class FileOpens implements AutoCloseable {

    private static final int FAN_CLOEXEC = 1;
    private static final int FAN_NONBLOCK = 2;
    /** Nothing is lost where many files are opened at once; the events of a container's start are its bound. */
    private static final int FAN_UNLIMITED_QUEUE = 0x10;

    private static final int FAN_MARK_ADD = 1;
    private static final int FAN_MARK_FILESYSTEM = 0x100;
    private static final long FAN_OPEN = 0x20;
    private static final long FAN_OPEN_EXEC = 0x1000;

    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;
    private static final int AT_FDCWD = -100;

    /** Each event comes with an open descriptor: so many bytes are 170 of them. */
    private static final int BUFFER = 4096;

    private static final int FD_OFFSET = 16;
    private static final int PID_OFFSET = 20;
    private static final int PATH_MAX = 4096;
    private static final short POLLIN = 1;

    private final int fd;
    private final int self = (int) ProcessHandle.current().pid();

    /** @param mountPoint where the file system is mounted, or below */
    public FileOpens(Path mountPoint) throws ErrnoException {
        fd = Libc.INSTANCE.fanotify_init(FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE, O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "fanotify_init", "");
        }
        if (Libc.INSTANCE.fanotify_mark(
                        fd,
                        FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                        FAN_OPEN | FAN_OPEN_EXEC,
                        AT_FDCWD,
                        CString.of(mountPoint))
                != 0) {
            int errno = Native.getLastError();
            Libc.INSTANCE.close(fd);
            throw new ErrnoException(errno, "fanotify_mark", mountPoint.toString());
        }
    }

    /**
     * Waits for opened files, up to {@code timeout}, and gives what is there, in its order; none is a folder. A file that a
     * process opens again may be told once: the kernel joins what has not been read.
     *
     * @return absolute paths as the mount has them through which a file was opened: below the mount point, or below the
     *     root of whoever has it as its root
     */
    public List<String> await(Duration timeout) throws ErrnoException {
        ByteBuffer poll = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        poll.putInt(0, fd).putShort(4, POLLIN);
        int ready = Libc.INSTANCE.poll(poll.array(), new NativeLong(1), (int) timeout.toMillis());
        if (ready < 0 && Native.getLastError() != Errno.EINTR) {
            throw new ErrnoException(Native.getLastError(), "poll", "fanotify");
        }
        if (ready <= 0) {
            return List.of();
        }
        ByteBuffer events = ByteBuffer.allocate(BUFFER).order(ByteOrder.nativeOrder());
        long count =
                Libc.INSTANCE.read(fd, events.array(), new NativeLong(BUFFER)).longValue();
        if (count < 0) {
            if (Native.getLastError() == Errno.EAGAIN) {
                return List.of();
            }
            throw new ErrnoException(Native.getLastError(), "read", "fanotify");
        }
        List<String> paths = new ArrayList<>();
        for (int at = 0; at < count; at += events.getInt(at)) {
            int file = events.getInt(at + FD_OFFSET);
            if (file >= 0) {
                try {
                    if (events.getInt(at + PID_OFFSET) != self) {
                        paths.add(path(file));
                    }
                } finally {
                    Libc.INSTANCE.close(file);
                }
            }
        }
        return paths;
    }

    private static String path(int file) throws ErrnoException {
        byte[] target = new byte[PATH_MAX];
        String link = "/proc/self/fd/" + file;
        long length = FileLibc.readlinkat(AT_FDCWD, CString.of(Path.of(link)), target, target.length);
        if (length < 0) {
            throw new ErrnoException(Native.getLastError(), "readlink", link);
        }
        return new String(target, 0, (int) length, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(fd);
    }
}
