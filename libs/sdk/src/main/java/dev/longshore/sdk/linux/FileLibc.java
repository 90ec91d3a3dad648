package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;

/**
 * The functions that are called several times for each file of a layer. Mapped directly, which costs a fraction of a call through
 * {@link Libc}; that one stays for the others, because mapping directly costs more at the start. Sizes and offsets are of 64 bits,
 * as on all platforms that we run on.
 */
final class FileLibc {

    static {
        // As in Libc: no search for libraries.
        if (System.getProperty("jna.platform.library.path") == null) {
            System.setProperty("jna.platform.library.path", "");
        }
        Native.register(FileLibc.class, NativeLibrary.getProcess());
    }

    private FileLibc() {}

    static native int openat(int folder, byte[] path, int flags, int mode);

    static native int close(int fd);

    static native long read(int fd, Pointer buffer, long length);

    static native long write(int fd, Pointer buffer, long length);

    static native long pwrite(int fd, Pointer buffer, long length, long offset);

    static native int ftruncate(int fd, long length);

    static native int fallocate(int fd, int mode, long offset, long length);

    static native int fchown(int fd, int uid, int gid);

    static native int fchmod(int fd, int mode);

    static native int futimens(int fd, byte[] times);

    static native int mkdirat(int folder, byte[] path, int mode);

    static native int mknodat(int folder, byte[] path, int mode, long device);

    static native int symlinkat(byte[] target, int folder, byte[] path);

    static native int linkat(int fromFolder, byte[] from, int toFolder, byte[] to, int flags);

    static native long readlinkat(int folder, byte[] path, byte[] target, long size);

    static native int fchownat(int folder, byte[] path, int uid, int gid, int flags);

    static native int fchmodat(int folder, byte[] path, int mode, int flags);

    static native int utimensat(int folder, byte[] path, byte[] times, int flags);

    static native int statx(int folder, byte[] path, int flags, int mask, byte[] result);
}
