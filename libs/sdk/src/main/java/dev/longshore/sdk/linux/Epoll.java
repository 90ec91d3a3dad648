package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Waits for many descriptors on one thread. {@link #add}, {@link #remove} and {@link #wake} are for any thread, {@link
 * #await} and {@link #close} for the one that waits. See epoll(7).
 */
public final class Epoll implements AutoCloseable {

    private static final int EPOLL_CLOEXEC = 02000000;
    private static final int EPOLL_CTL_ADD = 1;
    private static final int EPOLL_CTL_DEL = 2;
    private static final int EPOLLIN = 1;
    private static final int EFD_CLOEXEC = 02000000;
    private static final int EFD_NONBLOCK = 04000;

    /** Descriptors told by one {@link #await}; the others follow with the next. */
    private static final int MAX_EVENTS = 64;

    private static final boolean PACKED = System.getProperty("os.arch").equals("amd64");

    /** {@code struct epoll_event} is packed on x86-64 only. */
    private static final int EVENT_SIZE = PACKED ? 12 : 16;

    private static final int DATA_OFFSET = PACKED ? 4 : 8;

    private final int epoll;
    private final int wakeup;

    public Epoll() throws ErrnoException {
        epoll = Libc.INSTANCE.epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0) {
            throw new ErrnoException(Native.getLastError(), "epoll_create1", "");
        }
        wakeup = Libc.INSTANCE.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (wakeup < 0) {
            int errno = Native.getLastError();
            Libc.INSTANCE.close(epoll);
            throw new ErrnoException(errno, "eventfd", "");
        }
        add(wakeup);
    }

    /** From now on {@link #await} tells when {@code fd} is readable, again and again until it is read. */
    public void add(int fd) throws ErrnoException {
        ByteBuffer event = ByteBuffer.allocate(EVENT_SIZE).order(ByteOrder.nativeOrder());
        event.putInt(0, EPOLLIN).putInt(DATA_OFFSET, fd);
        if (Libc.INSTANCE.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event.array()) != 0) {
            throw new ErrnoException(Native.getLastError(), "epoll_ctl add", Integer.toString(fd));
        }
    }

    /** To be called before {@code fd} is closed. */
    public void remove(int fd) throws ErrnoException {
        if (Libc.INSTANCE.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, null) != 0) {
            throw new ErrnoException(Native.getLastError(), "epoll_ctl remove", Integer.toString(fd));
        }
    }

    /** Waits for something to read; blocks, so for a platform thread. Empty after a {@link #wake}. */
    public List<Integer> await() throws ErrnoException {
        return awaitMillis(-1);
    }

    /** As {@link #await()}, but empty when {@code timeout} is over, too. */
    public List<Integer> await(Duration timeout) throws ErrnoException {
        return awaitMillis((int) Math.min(Integer.MAX_VALUE, timeout.toMillis()));
    }

    private List<Integer> awaitMillis(int timeout) throws ErrnoException {
        ByteBuffer events = ByteBuffer.allocate(EVENT_SIZE * MAX_EVENTS).order(ByteOrder.nativeOrder());
        int count = Libc.INSTANCE.epoll_wait(epoll, events.array(), MAX_EVENTS, timeout);
        if (count < 0) {
            if (Native.getLastError() == Errno.EINTR) {
                return List.of();
            }
            throw new ErrnoException(Native.getLastError(), "epoll_wait", "");
        }
        List<Integer> readable = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int fd = events.getInt(i * EVENT_SIZE + DATA_OFFSET);
            if (fd == wakeup) {
                Libc.INSTANCE.read(wakeup, new byte[Long.BYTES], new NativeLong(Long.BYTES));
            } else {
                readable.add(fd);
            }
        }
        return readable;
    }

    /** Makes {@link #await} return, now or when it is called next. */
    public void wake() {
        byte[] one = ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.nativeOrder())
                .putLong(1)
                .array();
        Libc.INSTANCE.write(wakeup, one, new NativeLong(Long.BYTES));
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(wakeup);
        Libc.INSTANCE.close(epoll);
    }
}
