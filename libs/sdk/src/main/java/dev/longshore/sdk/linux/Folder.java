package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * An open folder. Names are bytes, since that is what Linux has; each is one component, looked up in this folder and
 * nowhere else: no symbolic link is followed. For one thread.
 */
public final class Folder implements AutoCloseable {

    private static final boolean ARM = System.getProperty("os.arch").equals("aarch64");

    static final int O_CLOEXEC = 02000000;
    static final int O_DIRECTORY = ARM ? 040000 : 0200000;
    static final int O_NOFOLLOW = ARM ? 0100000 : 0400000;
    static final int O_PATH = 010000000;

    private static final int O_WRONLY = 1;
    private static final int O_CREAT = 0100;
    private static final int O_EXCL = 0200;
    private static final int O_NONBLOCK = 04000;

    private static final int AT_REMOVEDIR = 0x200;
    private static final int PATH_MAX = 4096;
    private static final int BUFFER_SIZE = 32768;

    /** Characters of a path that error messages are made of: trees may be deeper than any path is long. */
    private static final int MAX_SUBJECT = 4096;

    private static final int DIRENT_INODE = 0;
    private static final int DIRENT_LENGTH = 16;
    private static final int DIRENT_TYPE = 18;
    private static final int DIRENT_NAME = 19;
    private static final int DT_DIR = 4;

    private final int fd;
    private final String subject;
    private boolean closed;

    private Folder(int fd, String subject) {
        this.fd = fd;
        this.subject = subject;
    }

    /** Opens a folder; symbolic links on the way there are followed, but not one at the end. */
    public static Folder open(Path path) throws ErrnoException {
        int fd = Libc.INSTANCE.open(CString.of(path), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        if (fd < 0) {
            throw new ErrnoException(Native.getLastError(), "open", path.toString());
        }
        return new Folder(fd, path.toString());
    }

    /** Opens a folder in this one. */
    public Folder child(byte[] name) throws ErrnoException {
        return openAt(name, subject(name));
    }

    /**
     * Opens a folder in this one, unless something is mounted on it.
     *
     * @throws ErrnoException {@link Errno#EXDEV} if something is, a bind mount too; {@link Errno#ENOSYS} before Linux 5.6
     */
    public Folder childOnSameMount(byte[] name) throws ErrnoException {
        int child = PathHandle.openAt(
                fd,
                name,
                O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                PathHandle.RESOLVE_NO_XDEV | PathHandle.RESOLVE_NO_SYMLINKS);
        if (child < 0) {
            throw new ErrnoException(Native.getLastError(), "openat2", subject(name));
        }
        return new Folder(child, subject(name));
    }

    /**
     * Opens the folder at {@code path} as a process that had this one as its root folder would: neither {@code ..} nor a symbolic
     * link leads out of it. Goes through mounts.
     *
     * @throws ErrnoException as openat2(2) says; {@link Errno#ENOTDIR} if it is no folder, {@link Errno#ENOSYS} before Linux 5.6
     */
    public Folder inRoot(byte[] path) throws ErrnoException {
        int child = PathHandle.openAt(
                fd, path, O_DIRECTORY | O_CLOEXEC, PathHandle.RESOLVE_IN_ROOT | PathHandle.RESOLVE_NO_MAGICLINKS);
        if (child < 0) {
            throw new ErrnoException(Native.getLastError(), "openat2", subject(path));
        }
        return new Folder(child, subject(path));
    }

    /** Opens the folder that this one is in. */
    public Folder parent() throws ErrnoException {
        return openAt(new byte[] {'.', '.'}, subject + "/..");
    }

    private Folder openAt(byte[] name, String what) throws ErrnoException {
        int child = Libc.INSTANCE.openat(fd, CString.of(name), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        if (child < 0) {
            throw new ErrnoException(Native.getLastError(), "openat", what);
        }
        return new Folder(child, what);
    }

    /** For other calls of this package. */
    public int fd() {
        return fd;
    }

    /** The folder itself. */
    public FileStat stat() throws ErrnoException {
        return FileStat.at(fd, new byte[1], () -> subject);
    }

    /** A file in it. */
    public FileStat stat(byte[] name) throws ErrnoException {
        return FileStat.at(fd, CString.of(name), () -> subject(name));
    }

    /** What was in the folder when it was opened, without {@code .} and {@code ..}, in no order. To be called once. */
    public List<Entry> entries() throws ErrnoException {
        List<Entry> entries = new ArrayList<>();
        byte[] buffer = new byte[BUFFER_SIZE];
        ByteBuffer dirents = ByteBuffer.wrap(buffer).order(ByteOrder.nativeOrder());
        while (true) {
            int length = Libc.INSTANCE
                    .getdents64(fd, buffer, new NativeLong(BUFFER_SIZE))
                    .intValue();
            if (length < 0) {
                throw new ErrnoException(Native.getLastError(), "getdents64", subject);
            }
            if (length == 0) {
                return entries;
            }
            for (int at = 0; at < length; at += Short.toUnsignedInt(dirents.getShort(at + DIRENT_LENGTH))) {
                int start = at + DIRENT_NAME;
                int end = start;
                while (buffer[end] != 0) {
                    end++;
                }
                boolean self = end - start == 1 && buffer[start] == '.';
                boolean up = end - start == 2 && buffer[start] == '.' && buffer[start + 1] == '.';
                if (!self && !up) {
                    entries.add(new Entry(
                            Arrays.copyOfRange(buffer, start, end),
                            dirents.getLong(at + DIRENT_INODE),
                            buffer[at + DIRENT_TYPE]));
                }
            }
        }
    }

    /** Removes a file that is no folder. */
    public void removeFile(byte[] name) throws ErrnoException {
        unlink(name, 0);
    }

    /** Removes an empty folder. */
    public void removeFolder(byte[] name) throws ErrnoException {
        unlink(name, AT_REMOVEDIR);
    }

    private void unlink(byte[] name, int flags) throws ErrnoException {
        if (Libc.INSTANCE.unlinkat(fd, CString.of(name), flags) != 0) {
            throw new ErrnoException(Native.getLastError(), "unlinkat", subject(name));
        }
    }

    /** Makes a folder with exactly these permissions but for the umask. */
    public void makeFolder(byte[] name, int permissions) throws ErrnoException {
        check(FileLibc.mkdirat(fd, CString.of(name), permissions), "mkdirat", name);
    }

    /** Makes a regular file, which must not be there, with mode 0600, and opens it for writing. */
    public OpenFile makeFile(byte[] name) throws ErrnoException {
        int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        return new OpenFile(check(FileLibc.openat(fd, CString.of(name), flags, 0600), "openat", name), this, name);
    }

    /** Opens a regular file for reading. */
    public OpenFile openFile(byte[] name) throws ErrnoException {
        int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
        return new OpenFile(check(FileLibc.openat(fd, CString.of(name), flags, 0), "openat", name), this, name);
    }

    /** Makes a device, fifo, socket or empty file: see {@link FileCalls#mknod}. */
    public void makeNode(byte[] name, int mode, int major, int minor) throws ErrnoException {
        check(FileLibc.mknodat(fd, CString.of(name), mode, FileCalls.device(major, minor)), "mknodat", name);
    }

    /** Makes a symbolic link; its target may be any text. */
    public void makeSymbolicLink(byte[] name, byte[] target) throws ErrnoException {
        check(FileLibc.symlinkat(CString.of(target), fd, CString.of(name)), "symlinkat", name);
    }

    /** Makes a hard link to a file of another folder; to the link itself, if that is a symbolic one. */
    public void makeHardLink(byte[] name, Folder from, byte[] existing) throws ErrnoException {
        check(FileLibc.linkat(from.fd, CString.of(existing), fd, CString.of(name), 0), "linkat", name);
    }

    /** The target of a symbolic link. */
    public byte[] readSymbolicLink(byte[] name) throws ErrnoException {
        byte[] target = new byte[PATH_MAX];
        long length = FileLibc.readlinkat(fd, CString.of(name), target, target.length);
        if (length < 0) {
            throw new ErrnoException(Native.getLastError(), "readlinkat", subject(name));
        }
        return Arrays.copyOf(target, (int) length);
    }

    /** Changes owner and group of a file or symbolic link, which takes set-id bits and capabilities away. */
    public void chown(byte[] name, int uid, int gid) throws ErrnoException {
        check(FileLibc.fchownat(fd, CString.of(name), uid, gid, FileStat.AT_SYMLINK_NOFOLLOW), "fchownat", name);
    }

    /** Sets all twelve permission bits of what must not be a symbolic link: the kernel would follow it. */
    public void chmod(byte[] name, int permissions) throws ErrnoException {
        check(FileLibc.fchmodat(fd, CString.of(name), permissions, 0), "fchmodat", name);
    }

    /** Sets both times of a file or symbolic link, to the nanosecond where the file system keeps them. */
    public void times(byte[] name, Instant accessed, Instant modified) throws ErrnoException {
        byte[] times = FileCalls.timespecs(accessed, modified);
        check(FileLibc.utimensat(fd, CString.of(name), times, FileStat.AT_SYMLINK_NOFOLLOW), "utimensat", name);
    }

    private int check(int result, String call, byte[] name) throws ErrnoException {
        if (result < 0) {
            throw new ErrnoException(Native.getLastError(), call, subject(name));
        }
        return result;
    }

    /** Waits until the folder's entries are on disk. */
    public void sync() throws ErrnoException {
        if (Libc.INSTANCE.fsync(fd) != 0) {
            throw new ErrnoException(Native.getLastError(), "fsync", subject);
        }
    }

    /** Waits until everything on the file system of this folder is on disk. */
    public void syncFileSystem() throws ErrnoException {
        if (Libc.INSTANCE.syncfs(fd) != 0) {
            throw new ErrnoException(Native.getLastError(), "syncfs", subject);
        }
    }

    /** {@link #sync} of the folder at {@code path}. */
    public static void sync(Path path) throws ErrnoException {
        try (Folder folder = open(path)) {
            folder.sync();
        }
    }

    String subject(byte[] name) {
        return (subject.length() > MAX_SUBJECT ? "..." : subject) + "/" + new String(name, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            Libc.INSTANCE.close(fd);
        }
    }

    /** A file in a folder. */
    public static final class Entry {

        private final byte[] name;
        private final long inode;
        private final int type;

        Entry(byte[] name, long inode, int type) {
            this.name = name;
            this.inode = inode;
            this.type = type;
        }

        /** One component; not a copy. */
        public byte[] name() {
            return name;
        }

        public long inode() {
            return inode;
        }

        /** DT_... of readdir(3); 0 where the file system does not say. */
        public int type() {
            return type;
        }

        /** False also where the file system does not say. */
        public boolean isFolder() {
            return type == DT_DIR;
        }

        /** The name, with the replacement character for what is not UTF-8. */
        public String text() {
            return new String(name, StandardCharsets.UTF_8);
        }
    }
}
