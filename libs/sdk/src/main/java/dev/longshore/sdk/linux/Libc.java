package dev.longshore.sdk.linux;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import org.jspecify.annotations.Nullable;

/** The C library's functions as JNA maps them; the typed calls over it throw {@link ErrnoException}. */
interface Libc extends Library {

    Libc INSTANCE = load();

    private static Libc load() {
        // Unless told where libraries are, JNA runs ldconfig to find out, which is a tenth of a start. It needs to know
        // nothing: the C library is in the process.
        String libraryPath = "jna.platform.library.path";
        if (System.getProperty(libraryPath) == null) {
            System.setProperty(libraryPath, "");
        }
        return Native.load((String) null, Libc.class);
    }

    int mount(byte[] source, byte[] target, byte[] type, long flags, byte[] data);

    int umount2(byte[] target, int flags);

    int mkfifo(byte[] path, int mode);

    NativeLong lgetxattr(byte[] path, byte[] name, byte @Nullable [] value, NativeLong size);

    NativeLong llistxattr(byte[] path, byte @Nullable [] list, NativeLong size);

    int lsetxattr(byte[] path, byte[] name, byte[] value, NativeLong size, int flags);

    int lremovexattr(byte[] path, byte[] name);

    int statx(int folder, byte[] path, int flags, int mask, byte[] result);

    int statfs(byte[] path, byte[] result);

    int fchownat(int folder, byte[] path, int uid, int gid, int flags);

    int fchmodat(int folder, byte[] path, int mode, int flags);

    int mknodat(int folder, byte[] path, int mode, long device);

    int mkdirat(int folder, byte[] path, int mode);

    int unlinkat(int folder, byte[] path, int flags);

    int utimensat(int folder, byte[] path, byte[] times, int flags);

    int openat(int folder, byte[] path, int flags, int mode);

    NativeLong getdents64(int fd, byte[] entries, NativeLong size);

    int fsync(int fd);

    int syncfs(int fd);

    int open(byte[] path, int flags, int mode);

    int close(int fd);

    int pipe2(int[] fds, int flags);

    NativeLong read(int fd, byte[] buffer, NativeLong length);

    NativeLong write(int fd, byte[] buffer, NativeLong length);

    int fcntl(int fd, int command, int argument);

    int getsockname(int fd, byte[] address, int[] length);

    int getsockopt(int fd, int level, int option, int[] value, int[] length);

    int poll(byte[] pollfds, NativeLong count, int timeoutMillis);

    int ioctl(int fd, NativeLong request, byte[] argument);

    int waitid(int idType, int id, byte[] siginfo, int options, @Nullable Pointer usage);

    int epoll_create1(int flags);

    int epoll_ctl(int epoll, int operation, int fd, byte @Nullable [] event);

    int epoll_wait(int epoll, byte[] events, int count, int timeoutMillis);

    int eventfd(int initial, int flags);

    int inotify_init1(int flags);

    int inotify_add_watch(int fd, byte[] path, int mask);

    int fanotify_init(int flags, int eventFlags);

    int fanotify_mark(int fd, int flags, long mask, int folder, byte[] path);

    int prctl(int option, NativeLong argument2, NativeLong argument3, NativeLong argument4, NativeLong argument5);

    int posix_spawn(
            int[] pid, byte[] path, Pointer actions, Pointer attributes, Pointer arguments, Pointer environment);

    int posix_spawn_file_actions_init(Pointer actions);

    int posix_spawn_file_actions_destroy(Pointer actions);

    int posix_spawn_file_actions_adddup2(Pointer actions, int fd, int as);

    int posix_spawn_file_actions_addopen(Pointer actions, int fd, byte[] path, int flags, int mode);

    int posix_spawn_file_actions_addclosefrom_np(Pointer actions, int from);

    int posix_spawn_file_actions_addchdir_np(Pointer actions, byte[] path);

    int posix_spawnattr_init(Pointer attributes);

    int posix_spawnattr_destroy(Pointer attributes);

    int posix_spawnattr_setflags(Pointer attributes, short flags);

    int posix_spawnattr_setsigmask(Pointer attributes, byte[] signals);

    NativeLong syscall(NativeLong number, @Nullable Object... arguments);

    String strerror(int errno);
}
