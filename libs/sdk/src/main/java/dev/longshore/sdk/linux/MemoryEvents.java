package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Tells when a memory cgroup runs out of memory, by a descriptor for {@link Epoll}: of a version 1 cgroup an eventfd that the kernel
 * has been told of, of a version 2 cgroup a watch on {@code memory.events}. It tells too often rather than too seldom, among other
 * things when the cgroup is removed; the counter in the cgroup says what happened. See cgroups-v1/memory.rst, section 9, and
 * cgroup-v2.rst.
 */
public final class MemoryEvents implements AutoCloseable {

    private static final int O_RDONLY = 0;
    private static final int CLOEXEC = 02000000;
    private static final int NONBLOCK = 04000;
    private static final int IN_MODIFY = 2;

    private final int fd;
    private boolean closed;

    private MemoryEvents(int fd) {
        this.fd = fd;
    }

    /** @param folder of the cgroup in the hierarchy of the controller memory */
    public static MemoryEvents legacy(Path folder) throws IOException {
        int eventfd = Libc.INSTANCE.eventfd(0, CLOEXEC | NONBLOCK);
        if (eventfd < 0) {
            throw new ErrnoException(Native.getLastError(), "eventfd", "");
        }
        MemoryEvents events = new MemoryEvents(eventfd);
        int control = Libc.INSTANCE.open(CString.of(folder.resolve("memory.oom_control")), O_RDONLY | CLOEXEC, 0);
        if (control < 0) {
            int errno = Native.getLastError();
            events.close();
            throw new ErrnoException(errno, "open memory.oom_control of", folder.toString());
        }
        try {
            Files.write(
                    folder.resolve("cgroup.event_control"),
                    "%d %d".formatted(eventfd, control).getBytes(StandardCharsets.US_ASCII));
            return events;
        } catch (IOException e) {
            events.close();
            throw e;
        } finally {
            Libc.INSTANCE.close(control);
        }
    }

    /** @param folder of the cgroup */
    public static MemoryEvents unified(Path folder) throws IOException {
        int inotify = Libc.INSTANCE.inotify_init1(CLOEXEC | NONBLOCK);
        if (inotify < 0) {
            throw new ErrnoException(Native.getLastError(), "inotify_init1", "");
        }
        Path file = folder.resolve("memory.events");
        if (Libc.INSTANCE.inotify_add_watch(inotify, CString.of(file), IN_MODIFY) < 0) {
            int errno = Native.getLastError();
            Libc.INSTANCE.close(inotify);
            throw new ErrnoException(errno, "inotify_add_watch", file.toString());
        }
        return new MemoryEvents(inotify);
    }

    public int fd() {
        return fd;
    }

    /** Takes what was told, so that the descriptor is readable again only when something more happens. */
    public synchronized void drain() {
        byte[] buffer = new byte[4096];
        while (!closed
                && Libc.INSTANCE.read(fd, buffer, new NativeLong(buffer.length)).longValue() > 0) {
            // Until there is nothing left: EAGAIN.
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            Libc.INSTANCE.close(fd);
        }
    }
}
