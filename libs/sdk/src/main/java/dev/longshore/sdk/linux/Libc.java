package dev.longshore.sdk.linux;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import org.jspecify.annotations.Nullable;

/** The C library's functions as JNA maps them; the typed calls over it throw {@link ErrnoException}. */
interface Libc extends Library {

    Libc INSTANCE = Native.load("c", Libc.class);

    int mount(byte[] source, byte[] target, byte[] type, long flags, byte[] data);

    int umount2(byte[] target, int flags);

    int mkfifo(byte[] path, int mode);

    int open(byte[] path, int flags, int mode);

    int close(int fd);

    int pipe2(int[] fds, int flags);

    NativeLong read(int fd, byte[] buffer, NativeLong length);

    NativeLong write(int fd, byte[] buffer, NativeLong length);

    int poll(byte[] pollfds, NativeLong count, int timeoutMillis);

    int ioctl(int fd, NativeLong request, byte[] argument);

    int waitid(int idType, int id, byte[] siginfo, int options, @Nullable Pointer usage);

    int epoll_create1(int flags);

    int epoll_ctl(int epoll, int operation, int fd, byte @Nullable [] event);

    int epoll_wait(int epoll, byte[] events, int count, int timeoutMillis);

    int eventfd(int initial, int flags);

    NativeLong syscall(NativeLong number, Object... arguments);

    String strerror(int errno);
}
