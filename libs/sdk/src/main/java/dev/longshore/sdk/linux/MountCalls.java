package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** mount(2) and umount2(2). */
public final class MountCalls {

    public static final long MS_RDONLY = 1;
    public static final long MS_NOSUID = 1 << 1;
    public static final long MS_NODEV = 1 << 2;
    public static final long MS_NOEXEC = 1 << 3;
    public static final long MS_SYNCHRONOUS = 1 << 4;
    public static final long MS_REMOUNT = 1 << 5;
    public static final long MS_MANDLOCK = 1 << 6;
    public static final long MS_DIRSYNC = 1 << 7;
    public static final long MS_NOATIME = 1 << 10;
    public static final long MS_NODIRATIME = 1 << 11;
    public static final long MS_BIND = 1 << 12;
    public static final long MS_REC = 1 << 14;
    public static final long MS_UNBINDABLE = 1 << 17;
    public static final long MS_PRIVATE = 1 << 18;
    public static final long MS_SLAVE = 1 << 19;
    public static final long MS_SHARED = 1 << 20;
    public static final long MS_RELATIME = 1 << 21;
    public static final long MS_STRICTATIME = 1 << 24;

    public static final int MNT_FORCE = 1;
    public static final int MNT_DETACH = 2;
    public static final int UMOUNT_NOFOLLOW = 8;

    private MountCalls() {}

    /** @throws ErrnoException as mount(2) says */
    public static void mount(String source, Path target, String type, long flags, String data) throws ErrnoException {
        if (Libc.INSTANCE.mount(c(source), c(target.toString()), c(type), flags, c(data)) != 0) {
            throw new ErrnoException(Native.getLastError(), "mount", type + " " + source + " on " + target);
        }
    }

    /** @throws ErrnoException as umount2(2) says */
    public static void unmount(Path target, int flags) throws ErrnoException {
        if (Libc.INSTANCE.umount2(c(target.toString()), flags) != 0) {
            throw new ErrnoException(Native.getLastError(), "umount", target.toString());
        }
    }

    private static byte[] c(String text) {
        return (text + "\0").getBytes(StandardCharsets.UTF_8);
    }
}
