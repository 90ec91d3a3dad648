package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.erofs.ErofsFormat.*;

import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.Attributes;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * A layer as an EROFS image without compression: inodes with the ends of their files behind them, the files' whole blocks, and, for
 * {@link ErofsFiles} and behind what the kernel looks at, where each inode is. The same layer gives the same bytes. For one thread.
 */
public final class ErofsImage {

    private static final int BUFFER = 1 << 20;

    private final LayerIndex index;
    private final Folders folders;
    private final InodeXattrs xattrs;

    /** Where inodes are, by their numbers in the index. */
    private final long[] places;

    private final int[] blocks;
    /** Those with the end of their contents behind them. */
    private final BitSet inline = new BitSet();

    private final long endBlock;

    /**
     * Finds out where everything goes.
     *
     * @param opaqueXattrs as for a FUSE mount: the attributes that opaque folders get
     * @throws UnimplementedException if the layer has what EROFS cannot keep
     */
    public ErofsImage(LayerIndex index, List<String> opaqueXattrs) {
        this.index = index;
        folders = new Folders(index);
        xattrs = new InodeXattrs(index, opaqueXattrs);
        places = new long[index.inodes() + 1];
        blocks = new int[index.inodes() + 1];
        endBlock = place();
    }

    /** Bytes of the image. */
    public long bytes() {
        return endBlock * BLOCK + ErofsFormat.placesBytes(index.inodes());
    }

    /** Where an image is while it is written: what a killed process may leave. */
    public static Path temporary(Path image) {
        return image.resolveSibling(image.getFileName() + ".tmp");
    }

    /**
     * Writes the image, durably: a temporary file, synced, renamed, the folder synced.
     *
     * @param data all of it is read, once
     * @throws IOException if a file cannot be read, or the image not be written
     */
    public void write(Path image, FileData data) throws IOException {
        Path temporary = temporary(image);
        Files.deleteIfExists(temporary); // left by one that was killed
        try (FileChannel channel = FileChannel.open(
                temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            write(channel, data);
            channel.force(true);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(temporary);
            throw e;
        }
        DurableFiles.move(temporary, image);
    }

    /** Returns the first block behind all. */
    private long place() {
        Places inodePlaces = new Places();
        for (int inode = 1; inode <= index.inodes(); inode++) {
            int head = INODE + xattrs.of(inode).limit();
            int tail = (int) (size(inode) % BLOCK);
            boolean fits = tail > 0 && head + tail <= BLOCK;
            inline.set(inode, fits);
            places[inode] = inodePlaces.take(fits ? head + tail : head);
        }
        long next = inodePlaces.end();
        for (int inode = 1; inode <= index.inodes(); inode++) {
            blocks[inode] = (int) next;
            next += inline.get(inode) ? size(inode) / BLOCK : ErofsFormat.blocks(size(inode));
            if (next > Integer.MAX_VALUE) {
                throw new UnimplementedException("an EROFS image of more than 8 TiB is not written");
            }
        }
        return next;
    }

    /** Bytes of what the inode has as contents. */
    private long size(int inode) {
        return switch (index.mode(inode) & FileStat.S_IFMT) {
            case FileStat.S_IFREG, FileStat.S_IFLNK -> index.size(inode);
            case FileStat.S_IFDIR -> folders.size(inode);
            default -> 0;
        };
    }

    private void write(FileChannel channel, FileData data) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
        for (int inode = 1; inode <= index.inodes(); inode++) {
            writeInode(channel, inode);
            writeContent(channel, inode, data, buffer);
        }
        writeSuperblock(channel);
        writePlaces(channel);
    }

    private void writePlaces(FileChannel channel) throws IOException {
        ByteBuffer packed =
                ByteBuffer.allocate(ErofsFormat.placesBytes(index.inodes())).order(ByteOrder.LITTLE_ENDIAN);
        for (long place : places) {
            packed.putInt((int) (place / SLOT));
        }
        put(channel, packed.flip(), endBlock * BLOCK);
    }

    private void writeInode(FileChannel channel, int inode) throws IOException {
        ByteBuffer body = xattrs.of(inode);
        Attributes a = index.attributes(inode);
        int type = a.mode() & FileStat.S_IFMT;
        boolean device = type == FileStat.S_IFCHR || type == FileStat.S_IFBLK;
        int layout = inline.get(inode) ? LAYOUT_INLINE : LAYOUT_PLAIN;
        ByteBuffer packed = ByteBuffer.allocate(INODE + body.limit()).order(ByteOrder.LITTLE_ENDIAN);
        packed.putShort(0, (short) (1 | layout << 1)) // of the long form
                .putShort(2, (short) InodeXattrs.count(body.limit()))
                .putShort(4, (short) a.mode())
                .putLong(8, size(inode))
                .putInt(16, device ? a.rdev() : blocks[inode])
                .putInt(20, inode)
                .putInt(24, a.uid())
                .putInt(28, a.gid())
                .putLong(32, a.mtimeSeconds())
                .putInt(40, a.mtimeNanos())
                .putInt(44, a.links())
                .put(INODE, body, 0, body.limit());
        put(channel, packed, places[inode]);
    }

    private void writeContent(FileChannel channel, int inode, FileData data, ByteBuffer buffer) throws IOException {
        int type = index.mode(inode) & FileStat.S_IFMT;
        if (type == FileStat.S_IFREG) {
            long size = index.size(inode);
            for (long done = 0; done < size; done += buffer.limit()) {
                buffer.clear().limit((int) Math.min(BUFFER, size - done));
                data.read(inode, done, buffer);
                if (buffer.hasRemaining()) {
                    throw new IOException(
                            "%s ends at %d instead of %d".formatted(index.path(inode), done + buffer.position(), size));
                }
                putContent(channel, inode, buffer.flip(), done);
            }
        } else if (type == FileStat.S_IFLNK) {
            putContent(channel, inode, ByteBuffer.wrap(index.target(inode)), 0);
        } else if (type == FileStat.S_IFDIR) {
            putContent(channel, inode, folders.content(inode, i -> places[i] / SLOT), 0);
        }
    }

    /** @param offset in the file, of a block's beginning */
    private void putContent(FileChannel channel, int inode, ByteBuffer content, long offset) throws IOException {
        long end = offset + content.limit();
        int tail = inline.get(inode) && end == size(inode) ? (int) (end % BLOCK) : 0;
        int whole = content.limit() - tail;
        put(channel, content.slice(0, whole), (long) blocks[inode] * BLOCK + offset);
        if (tail > 0) {
            int head = INODE + xattrs.of(inode).limit();
            put(channel, content.slice(whole, tail), places[inode] + head);
        }
    }

    private void writeSuperblock(FileChannel channel) throws IOException {
        ByteBuffer block = ByteBuffer.allocate(BLOCK).order(ByteOrder.LITTLE_ENDIAN);
        // Inodes are in it as well, and the checksum is over all of it.
        while (block.hasRemaining() && channel.read(block, block.position()) >= 0) {}
        block.putInt(SUPER_OFFSET, MAGIC)
                .putInt(SUPER_OFFSET + 8, COMPAT_CHECKSUM)
                .put(SUPER_OFFSET + 12, (byte) BLOCK_BITS)
                .putShort(SUPER_OFFSET + 14, (short) (places[LayerIndex.ROOT] / SLOT))
                .putLong(SUPER_OFFSET + 16, index.inodes())
                .putInt(SUPER_OFFSET + 36, (int) endBlock);
        CRC32C checksum = new CRC32C();
        checksum.update(block.slice(SUPER_OFFSET, BLOCK - SUPER_OFFSET));
        // The kernel leaves out the last inversion.
        block.putInt(SUPER_OFFSET + 4, ~(int) checksum.getValue());
        put(channel, block.clear(), 0);
    }

    private static void put(FileChannel channel, ByteBuffer bytes, long at) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes, at + bytes.position());
        }
    }
}
