package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.FileStat;
import dev.longshore.stargz.index.LayerIndex;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;

/** The folder with the mount's state, and the file in it. Its inodes are beyond those of any layer. */
final class StatusFolder {

    private static final byte[] NAME = ".stargz-snapshotter".getBytes(StandardCharsets.UTF_8);
    private static final long FOLDER = 1L << 40;
    private static final long FILE = FOLDER + 1;
    private static final int MAX_SIZE = 4096;

    private final StatusFile file;
    private final byte[] fileName;

    StatusFolder(StatusFile file) {
        this.file = file;
        fileName = file.name().getBytes(StandardCharsets.UTF_8);
    }

    boolean has(long folder, byte[] name) {
        return (folder == LayerIndex.ROOT && Arrays.equals(name, NAME))
                || (folder == FOLDER && Arrays.equals(name, fileName));
    }

    /** What {@link #has} found in a folder. */
    long node(long folder) {
        return folder == FOLDER ? FILE : FOLDER;
    }

    boolean isNode(long node) {
        return node == FOLDER || node == FILE;
    }

    boolean isFile(long node) {
        return node == FILE;
    }

    /** Its time is now, so that the kernel drops what it has read before. */
    void attributes(long node, ByteBuffer out, int at) {
        Instant now = Instant.now();
        long seconds = now.getEpochSecond();
        int nanos = now.getNano();
        if (node == FOLDER) {
            Answers.put(out, at, node, 0, seconds, nanos, FileStat.S_IFDIR | 0500, 2);
        } else {
            Answers.put(out, at, node, content().length, seconds, nanos, FileStat.S_IFREG | 0400, 1);
        }
    }

    byte[] content() {
        byte[] content = file.content().get();
        return content.length > MAX_SIZE ? Arrays.copyOf(content, MAX_SIZE) : content;
    }

    int read(Request.Read request, ByteBuffer out) {
        byte[] content = content();
        int from = (int) Math.min(request.offset(), content.length);
        int length = Math.min(Math.min(request.size(), content.length - from), out.capacity());
        out.put(0, content, from, length);
        return length;
    }
}
