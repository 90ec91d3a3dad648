package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

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
        return get(CString.of(path), CString.of(name), path::toString);
    }

    /** {@link #get(Path, String)} of a file in a folder; the attribute's name is bytes, too. */
    public static Optional<byte[]> get(Folder folder, byte[] name, byte[] attribute) throws ErrnoException {
        return get(CString.in(folder, name), CString.of(attribute), () -> folder.subject(name));
    }

    private static Optional<byte[]> get(byte[] file, byte[] attribute, Supplier<String> subject) throws ErrnoException {
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
                throw new ErrnoException(errno, "lgetxattr " + text(attribute), subject.get());
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
        return list(CString.of(path), path::toString).stream()
                .map(name -> new String(name, StandardCharsets.UTF_8))
                .toList();
    }

    /** {@link #list(Path)} of a file in a folder. */
    public static List<byte[]> list(Folder folder, byte[] name) throws ErrnoException {
        return list(CString.in(folder, name), () -> folder.subject(name));
    }

    private static List<byte[]> list(byte[] file, Supplier<String> subject) throws ErrnoException {
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
                throw new ErrnoException(errno, "llistxattr", subject.get());
            }
        }
    }

    private static String text(byte[] cString) {
        return new String(cString, 0, cString.length - 1, StandardCharsets.UTF_8);
    }

    private static List<byte[]> split(byte[] names, int length) {
        List<byte[]> result = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < length; i++) {
            if (names[i] == 0) {
                result.add(Arrays.copyOfRange(names, start, i));
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

    /** {@link #set(Path, String, byte[])} of a file in a folder; the attribute's name is bytes, too. */
    public static void set(Folder folder, byte[] name, byte[] attribute, byte[] value) throws ErrnoException {
        byte[] file = CString.in(folder, name);
        if (Libc.INSTANCE.lsetxattr(file, CString.of(attribute), value, new NativeLong(value.length), 0) != 0) {
            throw new ErrnoException(
                    Native.getLastError(),
                    "lsetxattr " + new String(attribute, StandardCharsets.UTF_8),
                    folder.subject(name));
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
