package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.IndexFormat.*;

import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.zip.CRC32C;

/**
 * A layer's files, without their contents: mapped, checked when it was built. Made by {@link IndexBuilder}.
 *
 * <p>Inodes are numbered from 1, which is the root, to {@link #inodes}, in the order of the table of contents; a hard link is a
 * further name of an inode. The same table gives the same numbers, always. Methods that take an inode throw {@link
 * IndexOutOfBoundsException} for one that is not there. Safe for use by many threads until closed; then they throw {@link
 * IllegalStateException}.
 */
public final class LayerIndex implements AutoCloseable {

    /** The root's inode. */
    public static final int ROOT = IndexBuilder.ROOT;

    private final Path file;
    private final Arena arena;
    private final ByteBuffer map;

    private final int inodes;
    private final int chunks;
    private final int streams;
    private final int flags;
    private final int namesAt;
    private final int chunksAt;
    private final int streamsAt;
    private final int xattrsAt;
    private final int textAt;

    private LayerIndex(Path file, Arena arena, ByteBuffer map) {
        this.file = file;
        this.arena = arena;
        this.map = map;
        inodes = map.getInt(H_INODES);
        chunks = map.getInt(H_CHUNKS);
        streams = map.getInt(H_STREAMS);
        flags = map.getInt(H_FLAGS);
        namesAt = HEADER_SIZE + inodes * INODE_SIZE;
        chunksAt = namesAt + (map.getInt(H_NAMES) + 1) * NAME_SIZE;
        streamsAt = chunksAt + chunks * CHUNK_SIZE;
        xattrsAt = streamsAt + streams * STREAM_SIZE;
        textAt = xattrsAt + map.getInt(H_XATTR_BYTES);
    }

    /**
     * Maps an index.
     *
     * @throws DataLossException if the file is damaged or of another version; it can be built again from the table of contents
     */
    @SuppressWarnings("MustBeClosed") // close does
    public static LayerIndex open(Path file) throws IOException {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < HEADER_SIZE || size > Integer.MAX_VALUE) {
                throw damaged(file, "it has %d bytes".formatted(size));
            }
            ByteBuffer map = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena)
                    .asByteBuffer()
                    .order(ByteOrder.LITTLE_ENDIAN);
            check(file, map);
            return new LayerIndex(file, arena, map);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static void check(Path file, ByteBuffer map) {
        if (map.getLong(H_MAGIC) != MAGIC) {
            throw damaged(file, "it is no index, or one of another version");
        }
        if (IndexWriter.headerCrc(map) != map.getInt(H_CRC)) {
            throw damaged(file, "the checksum of its header is wrong");
        }
        CRC32C crc = new CRC32C();
        crc.update(map.slice(HEADER_SIZE, map.limit() - HEADER_SIZE));
        if ((int) crc.getValue() != map.getInt(H_BODY_CRC)) {
            throw damaged(file, "its checksum is wrong");
        }
    }

    private static DataLossException damaged(Path file, String why) {
        return new DataLossException(
                "index %s: %s; remove it, it is built again from the layer's table of contents".formatted(file, why));
    }

    /** The number of the last inode. */
    public int inodes() {
        return inodes;
    }

    /** How many chunks there are; they are numbered from 0. */
    public int chunks() {
        return chunks;
    }

    /** How many regular files there are. */
    public int files() {
        return map.getInt(H_FILES);
    }

    /** Bytes of all regular files. */
    public long fileBytes() {
        return map.getLong(H_FILE_BYTES);
    }

    /** Bytes of the index. */
    public long size() {
        return map.limit();
    }

    /** Whether a file has extended attributes, or a folder is opaque. */
    public boolean hasXattrs() {
        return (flags & FLAG_XATTRS) != 0;
    }

    /** Whether every chunk has a digest. */
    public boolean verifiable() {
        return (flags & FLAG_UNVERIFIED) == 0;
    }

    /** Up to where the blob is to be read before it is asked for: to the landmark; empty if there is none. */
    public OptionalLong prefetchEnd() {
        long end = map.getLong(H_PREFETCH_END);
        return end < 0 ? OptionalLong.empty() : OptionalLong.of(end);
    }

    /** Whether the landmark is there that says that nothing is to be read before it is asked for. */
    public boolean prefetchForbidden() {
        return (flags & FLAG_NO_PREFETCH) != 0;
    }

    // Inodes.

    private int at(int inode) {
        if (inode < 1 || inode > inodes) {
            throw new IndexOutOfBoundsException("inode %d of %d in %s".formatted(inode, inodes, file));
        }
        return HEADER_SIZE + (inode - 1) * INODE_SIZE;
    }

    public Attributes attributes(int inode) {
        int at = at(inode);
        int mode = Short.toUnsignedInt(map.getShort(at + I_MODE));
        int type = mode & FileStat.S_IFMT;
        return new Attributes(
                inode,
                mode,
                map.getLong(at + I_SIZE),
                map.getLong(at + I_MTIME),
                map.getInt(at + I_MTIME_NANOS),
                map.getInt(at + I_UID),
                map.getInt(at + I_GID),
                map.getInt(at + I_LINKS),
                type == FileStat.S_IFCHR || type == FileStat.S_IFBLK ? map.getInt(at + I_FIRST) : 0);
    }

    /** Type and permission bits, see inode(7). */
    public int mode(int inode) {
        return Short.toUnsignedInt(map.getShort(at(inode) + I_MODE));
    }

    public boolean isFolder(int inode) {
        return (mode(inode) & FileStat.S_IFMT) == FileStat.S_IFDIR;
    }

    public boolean isRegular(int inode) {
        return (mode(inode) & FileStat.S_IFMT) == FileStat.S_IFREG;
    }

    /** Bytes of a regular file or of a symbolic link's target. */
    public long size(int inode) {
        return map.getLong(at(inode) + I_SIZE);
    }

    /** The target of a symbolic link; empty for anything else. */
    public byte[] target(int inode) {
        int at = at(inode);
        if ((mode(inode) & FileStat.S_IFMT) != FileStat.S_IFLNK) {
            return new byte[0];
        }
        return bytes(textAt + map.getInt(at + I_FIRST), map.getInt(at + I_COUNT));
    }

    /** Whether a folder hides what is in the layers below at its place. */
    public boolean opaque(int inode) {
        return (map.getShort(at(inode) + I_FLAGS) & INODE_OPAQUE) != 0;
    }

    /** The folder in which the inode has its first name; the root's is the root. */
    public int parent(int inode) {
        return inode == ROOT ? ROOT : map.getInt(at(inode) + I_PARENT);
    }

    /** A path of the inode, from the root, for messages. */
    public String path(int inode) {
        if (inode == ROOT) {
            return "/";
        }
        StringBuilder path = new StringBuilder();
        for (int i = inode; i != ROOT && i != 0; i = map.getInt(at(i) + I_PARENT)) {
            path.insert(0, new String(name(map.getInt(at(i) + I_NAME)), StandardCharsets.UTF_8))
                    .insert(0, '/');
        }
        return path.toString();
    }

    // Folders.

    /** How many names are in a folder; 0 for anything else. */
    public int count(int folder) {
        return isFolder(folder) ? map.getInt(at(folder) + I_COUNT) : 0;
    }

    /** The name at a place in a folder; they are sorted by their bytes. */
    public byte[] name(int folder, int place) {
        return name(first(folder, place) + place);
    }

    /** The inode at a place in a folder. */
    public int child(int folder, int place) {
        return map.getInt(namesAt + (first(folder, place) + place) * NAME_SIZE + N_INODE);
    }

    private int first(int folder, int place) {
        if (place < 0 || place >= count(folder)) {
            throw new IndexOutOfBoundsException("name %d of inode %d in %s".formatted(place, folder, file));
        }
        return map.getInt(at(folder) + I_FIRST);
    }

    private byte[] name(int number) {
        int at = namesAt + number * NAME_SIZE;
        int text = map.getInt(at + N_TEXT);
        return bytes(textAt + text, map.getInt(at + NAME_SIZE + N_TEXT) - text);
    }

    /** The inode called {@code name} in a folder; 0 if there is none. */
    public int lookup(int folder, byte[] name) {
        int low = isFolder(folder) ? map.getInt(at(folder) + I_FIRST) : 0;
        int high = low + count(folder) - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            int order = compare(middle, name);
            if (order == 0) {
                return map.getInt(namesAt + middle * NAME_SIZE + N_INODE);
            }
            if (order < 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return 0;
    }

    private int compare(int number, byte[] name) {
        int at = namesAt + number * NAME_SIZE;
        int text = map.getInt(at + N_TEXT);
        int length = map.getInt(at + NAME_SIZE + N_TEXT) - text;
        int common = Math.min(length, name.length);
        for (int i = 0; i < common; i++) {
            int order = (map.get(textAt + text + i) & 0xff) - (name[i] & 0xff);
            if (order != 0) {
                return order;
            }
        }
        return length - name.length;
    }

    // Extended attributes.

    /** Names of the inode's extended attributes in the table of contents, sorted. */
    public List<byte[]> xattrs(int inode) {
        List<byte[]> names = new ArrayList<>();
        new XattrCursor(inode).forEach((at, length) -> {
            names.add(bytes(at, length));
            return false;
        });
        return names;
    }

    /** The value of an extended attribute. */
    public Optional<byte[]> xattr(int inode, byte[] name) {
        XattrCursor cursor = new XattrCursor(inode);
        boolean found = cursor.forEach((at, length) -> Arrays.equals(bytes(at, length), name));
        return found ? Optional.of(bytes(cursor.valueAt, cursor.valueLength)) : Optional.empty();
    }

    private interface XattrName {
        /** Whether it is the one that is looked for. */
        boolean at(int at, int length);
    }

    private final class XattrCursor {
        private final int set;
        private int valueAt;
        private int valueLength;

        XattrCursor(int inode) {
            set = map.getInt(LayerIndex.this.at(inode) + I_XATTRS);
        }

        boolean forEach(XattrName visitor) {
            if (set == 0) {
                return false;
            }
            int at = xattrsAt + set - 1;
            int count = Short.toUnsignedInt(map.getShort(at));
            at += 2;
            for (int i = 0; i < count; i++) {
                int nameLength = map.get(at) & 0xff;
                valueLength = map.getInt(at + 1);
                valueAt = at + 5 + nameLength;
                if (visitor.at(at + 5, nameLength)) {
                    return true;
                }
                at = valueAt + valueLength;
            }
            return false;
        }
    }

    // Chunks.

    /** How many chunks a regular file has; 0 for anything else. */
    public int chunkCount(int inode) {
        return isRegular(inode) ? map.getInt(at(inode) + I_COUNT) : 0;
    }

    /** The number of a file's first chunk; its others follow. */
    public int firstChunk(int inode) {
        return map.getInt(at(inode) + I_FIRST);
    }

    /**
     * The chunk with the byte at {@code offset} of a regular file.
     *
     * @throws IndexOutOfBoundsException if the file has no such byte
     */
    public Chunk chunk(int inode, long offset) {
        if (offset < 0 || !isRegular(inode) || offset >= size(inode)) {
            throw new IndexOutOfBoundsException("byte %d of %s in %s".formatted(offset, path(inode), file));
        }
        int first = firstChunk(inode);
        int low = first;
        int high = first + chunkCount(inode) - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (map.getLong(chunkAt(middle) + C_FILE_OFFSET) <= offset) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return chunkOf(inode, low);
    }

    /** A file's chunk by its place among them. */
    public Chunk chunkAt(int inode, int place) {
        if (place < 0 || place >= chunkCount(inode)) {
            throw new IndexOutOfBoundsException("chunk %d of %s in %s".formatted(place, path(inode), file));
        }
        return chunkOf(inode, firstChunk(inode) + place);
    }

    private Chunk chunkOf(int inode, int number) {
        int at = chunkAt(number);
        int last = firstChunk(inode) + chunkCount(inode) - 1;
        long begin = map.getLong(at + C_FILE_OFFSET);
        long end = number == last ? size(inode) : map.getLong(at + CHUNK_SIZE + C_FILE_OFFSET);
        return new Chunk(
                number,
                inode,
                begin,
                end - begin,
                blobOffset(number),
                blobEnd(number),
                Integer.toUnsignedLong(map.getInt(at + C_INNER_OFFSET)));
    }

    /** Whether the table of contents says what the bytes of chunk {@code number} are. */
    public boolean hasDigest(int number) {
        stream(number);
        return map.getInt(chunkAt(number) + C_STREAM) >= 0;
    }

    /** Whether {@code sha256} is the digest of chunk {@code number}; false if it has none. */
    public boolean isDigest(int number, byte[] sha256) {
        return hasDigest(number) && Arrays.equals(bytes(chunkAt(number) + C_DIGEST, DIGEST_SIZE), sha256);
    }

    /** Where in the blob the stream with chunk {@code number} begins. */
    public long blobOffset(int number) {
        return streamBegin(stream(number));
    }

    /** Where in the blob the stream with chunk {@code number} ends. */
    public long blobEnd(int number) {
        int next = stream(number) + 1;
        return next == streams ? map.getLong(H_DATA_END) : streamBegin(next);
    }

    private int stream(int number) {
        if (number < 0 || number >= chunks) {
            throw new IndexOutOfBoundsException("chunk %d of %d in %s".formatted(number, chunks, file));
        }
        return map.getInt(chunkAt(number) + C_STREAM) & ~NO_DIGEST;
    }

    private long streamBegin(int stream) {
        return map.getLong(streamsAt + stream * STREAM_SIZE);
    }

    private int chunkAt(int number) {
        return chunksAt + number * CHUNK_SIZE;
    }

    /** What is done with a chunk. */
    @FunctionalInterface
    public interface ChunkVisitor {
        /** Returns whether to go on. */
        boolean visit(Chunk chunk) throws IOException;
    }

    /** Visits the chunks of all files, in the order in which they are in the blob, beginning with number {@code from}. */
    public void forEachChunk(int from, ChunkVisitor visitor) throws IOException {
        int next = from;
        for (int inode = 1; inode <= inodes && next < chunks; inode++) {
            int count = chunkCount(inode);
            int end = count == 0 ? 0 : firstChunk(inode) + count;
            for (; next < end; next++) {
                if (!visitor.visit(chunkOf(inode, next))) {
                    return;
                }
            }
        }
    }

    private byte[] bytes(int at, int length) {
        byte[] bytes = new byte[length];
        map.get(at, bytes);
        return bytes;
    }

    /** Unmaps it; nobody may use it any more. */
    @Override
    public void close() {
        arena.close();
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
