package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Extended attributes, with binary values; symbolic links are not followed. See xattr(7). */
public final class Xattrs {

    /** The kernel's limits, so that one call gets everything: XATTR_SIZE_MAX and XATTR_LIST_MAX. */
    private static final int MAX_SIZE = 65536;

    private static final int FIRST_TRY = 256;

    private Xattrs() {}

    /**
     * The value of one attribute.
     *
     * @return empty if the file has no such attribute
     * @throws ErrnoException as lgetxattr(2) says; {@link Errno#EOPNOTSUPP} if the file system has none
     */
    public static Optional<byte[]> get(Path path, String name) throws ErrnoException {
        byte[] file = CString.of(path);
        byte[] attribute = CString.of(name);
        for (int size = FIRST_TRY; ; size = MAX_SIZE) {
            byte[] value = new byte[size];
            long length = Libc.INSTANCE
                    .lgetxattr(file, attribute, value, new NativeLong(size))
                    .longValue();
            if (length >= 0) {
                return Optional.of(Arrays.copyOf(value, (int) length));
            }
            int errno = Native.getLastError();
            if (errno == Errno.ENODATA) {
                return Optional.empty();
            }
            if (errno != Errno.ERANGE || size == MAX_SIZE) {
                throw new ErrnoException(errno, "lgetxattr " + name, path.toString());
            }
        }
    }

    /**
     * Names of the attributes, in the file system's order.
     *
     * @return empty also where the file system has no attributes
     * @throws ErrnoException as llistxattr(2) says
     */
    public static List<String> list(Path path) throws ErrnoException {
        byte[] file = CString.of(path);
        for (int size = FIRST_TRY; ; size = MAX_SIZE) {
            byte[] names = new byte[size];
            long length =
                    Libc.INSTANCE.llistxattr(file, names, new NativeLong(size)).longValue();
            if (length >= 0) {
                return split(names, (int) length);
            }
            int errno = Native.getLastError();
            if (errno == Errno.EOPNOTSUPP) {
                return List.of();
            }
            if (errno != Errno.ERANGE || size == MAX_SIZE) {
                throw new ErrnoException(errno, "llistxattr", path.toString());
            }
        }
    }

    private static List<String> split(byte[] names, int length) {
        List<String> result = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < length; i++) {
            if (names[i] == 0) {
                result.add(new String(names, start, i - start, StandardCharsets.UTF_8));
                start = i + 1;
            }
        }
        return result;
    }

    /**
     * Sets an attribute, whether it was there or not.
     *
     * @throws ErrnoException as lsetxattr(2) says
     */
    public static void set(Path path, String name, byte[] value) throws ErrnoException {
        if (Libc.INSTANCE.lsetxattr(CString.of(path), CString.of(name), value, new NativeLong(value.length), 0) != 0) {
            throw new ErrnoException(Native.getLastError(), "lsetxattr " + name, path.toString());
        }
    }

    /**
     * Removes an attribute.
     *
     * @throws ErrnoException as lremovexattr(2) says; {@link Errno#ENODATA} if it is not there
     */
    public static void remove(Path path, String name) throws ErrnoException {
        if (Libc.INSTANCE.lremovexattr(CString.of(path), CString.of(name)) != 0) {
            throw new ErrnoException(Native.getLastError(), "lremovexattr " + name, path.toString());
        }
    }
}
