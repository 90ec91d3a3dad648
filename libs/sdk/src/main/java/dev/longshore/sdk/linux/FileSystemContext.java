package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A file system that is being configured for mounting, option by option and so without mount(2)'s limit of one page. See
 * fsopen(2), fsconfig(2) and fsmount(2). For one thread.
 */
public final class FileSystemContext implements AutoCloseable {

    /** Bytes of a value with its closing zero; the kernel refuses longer ones. */
    public static final int MAX_VALUE_SIZE = 256;

    private static final int SYS_FSOPEN = 430;
    private static final int SYS_FSCONFIG = 431;
    private static final int SYS_FSMOUNT = 432;
    private static final long FSOPEN_CLOEXEC = 1;
    private static final long FSMOUNT_CLOEXEC = 1;
    private static final long FSCONFIG_SET_FLAG = 0;
    private static final long FSCONFIG_SET_STRING = 1;
    private static final long FSCONFIG_CMD_CREATE = 6;

    private final String type;
    private final int fd;

    private FileSystemContext(String type, int fd) {
        this.type = type;
        this.fd = fd;
    }

    /** @throws ErrnoException {@link Errno#ENOSYS} before Linux 5.2, {@link Errno#ENODEV} if there is no such type */
    public static FileSystemContext open(String type) throws ErrnoException {
        long fd = Libc.INSTANCE
                .syscall(new NativeLong(SYS_FSOPEN), CString.of(type), FSOPEN_CLOEXEC)
                .longValue();
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "fsopen", type);
        }
        return new FileSystemContext(type, (int) fd);
    }

    /** @throws ErrnoException {@link Errno#EINVAL} if the file system does not know the option, or refuses the value */
    public void option(String key, String value) throws ErrnoException {
        config(FSCONFIG_SET_STRING, CString.of(key), CString.of(value), key + "=" + value);
    }

    /** An option without a value. */
    public void flag(String key) throws ErrnoException {
        config(FSCONFIG_SET_FLAG, CString.of(key), null, key);
    }

    /**
     * Makes the mount, which is attached nowhere yet.
     *
     * @param attributes MOUNT_ATTR_... of {@link DetachedMount}
     */
    public DetachedMount mount(long attributes) throws ErrnoException {
        config(FSCONFIG_CMD_CREATE, null, null, "create");
        long mount = Libc.INSTANCE
                .syscall(new NativeLong(SYS_FSMOUNT), (long) fd, FSMOUNT_CLOEXEC, attributes)
                .longValue();
        if (mount < 0) {
            throw new ErrnoException(Native.getLastError(), "fsmount", type);
        }
        return new DetachedMount((int) mount, type);
    }

    private void config(long command, byte @Nullable [] key, byte @Nullable [] value, String what)
            throws ErrnoException {
        long result = Libc.INSTANCE
                .syscall(new NativeLong(SYS_FSCONFIG), (long) fd, command, key, value, 0L)
                .longValue();
        if (result != 0) {
            int errno = Native.getLastError();
            throw new ErrnoException(errno, "fsconfig " + type, what + message());
        }
    }

    /** What the file system had to say, which is more than an error number. */
    private String message() {
        byte[] message = new byte[1024];
        int length =
                Libc.INSTANCE.read(fd, message, new NativeLong(message.length)).intValue();
        return length <= 0 ? "" : " (" + new String(message, 0, length, StandardCharsets.UTF_8).strip() + ")";
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(fd);
    }
}
