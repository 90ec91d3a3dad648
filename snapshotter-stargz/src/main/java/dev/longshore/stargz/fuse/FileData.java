package dev.longshore.stargz.fuse;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/** The contents of a layer's files. Safe for use by many threads. */
@FunctionalInterface
public interface FileData {

    /**
     * Reads bytes of a regular file that have been verified; blocks until they are here.
     *
     * @param inode number in the layer's index
     * @param offset in the file
     * @param to filled; the file has that many bytes there
     * @throws IOException if they cannot be had, or are not what the table of contents promised; the reader gets EIO
     */
    void read(int inode, long offset, ByteBuffer to) throws IOException;

    /**
     * As {@link #read(int, long, ByteBuffer)}, for a reader who may go meanwhile. No thread is interrupted for that: it would close the
     * files that it reads from just then, under all other readers.
     *
     * @param gone done once nobody waits for the bytes
     */
    default void read(int inode, long offset, ByteBuffer to, CompletableFuture<Void> gone) throws IOException {
        read(inode, offset, to);
    }

    /**
     * As {@link #read(int, long, ByteBuffer)}, if the bytes are on this machine. Asked first, on one of the few threads that serve a
     * mount, so it must not wait for a network.
     *
     * @return false if they are not here, or it is not known; {@code to} is then as it was
     */
    default boolean readLocal(int inode, long offset, ByteBuffer to) throws IOException {
        return false;
    }
}
