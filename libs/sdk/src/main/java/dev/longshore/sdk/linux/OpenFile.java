package dev.longshore.sdk.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.time.Instant;

/** An open regular file in a {@link Folder}. For one thread. */
public final class OpenFile implements AutoCloseable {

    /** Memory outside of the heap that bytes go through, to be used for many files, one after another. */
    public static final class Buffer implements AutoCloseable {

        private final Memory memory;

        /** @param size bytes of one read or write */
        public Buffer(int size) {
            memory = new Memory(size);
        }

        @Override
        public void close() {
            memory.close();
        }
    }

    private final int fd;
    private final byte[] name;
    private final Folder folder;

    OpenFile(int fd, Folder folder, byte[] name) {
        this.fd = fd;
        this.folder = folder;
        this.name = name;
    }

    /** Writes all the bytes at {@code position} of the file. */
    public void write(Buffer buffer, byte[] bytes, int offset, int length, long position) throws ErrnoException {
        for (int done = 0; done < length; ) {
            int count = (int) Math.min(length - done, buffer.memory.size());
            buffer.memory.write(0, bytes, offset + done, count);
            long written = FileLibc.pwrite(fd, buffer.memory, count, position + done);
            if (written < 0) {
                throw failed("write");
            }
            done += (int) written;
        }
    }

    /** Reads on; -1 at the end. */
    public int read(Buffer buffer, byte[] bytes, int offset, int length) throws ErrnoException {
        long count = FileLibc.read(fd, buffer.memory, Math.min(length, buffer.memory.size()));
        if (count < 0) {
            throw failed("read");
        }
        if (count == 0) {
            return length == 0 ? 0 : -1;
        }
        buffer.memory.read(0, bytes, offset, (int) count);
        return (int) count;
    }

    /** Makes the file this long, with a hole at its end if need be. */
    public void truncate(long size) throws ErrnoException {
        if (FileLibc.ftruncate(fd, size) != 0) {
            throw failed("ftruncate");
        }
    }

    /** Changes owner and group, which takes set-id bits and capabilities away. */
    public void chown(int uid, int gid) throws ErrnoException {
        if (FileLibc.fchown(fd, uid, gid) != 0) {
            throw failed("fchown");
        }
    }

    /** Sets all twelve permission bits, whatever the umask. */
    public void chmod(int permissions) throws ErrnoException {
        if (FileLibc.fchmod(fd, permissions) != 0) {
            throw failed("fchmod");
        }
    }

    public void times(Instant accessed, Instant modified) throws ErrnoException {
        if (FileLibc.futimens(fd, FileCalls.timespecs(accessed, modified)) != 0) {
            throw failed("futimens");
        }
    }

    private ErrnoException failed(String call) {
        return new ErrnoException(Native.getLastError(), call, folder.subject(name));
    }

    @Override
    public void close() {
        FileLibc.close(fd);
    }

    @Override
    public String toString() {
        return new String(name, StandardCharsets.UTF_8);
    }
}
