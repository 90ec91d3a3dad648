package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.erofs.ErofsFormat.*;

import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The contents of a layer's files out of an {@link ErofsImage}, for who reads through FUSE what others read through EROFS. What is read
 * is not verified again: it was, when the image was written. Safe for use by many threads.
 */
public final class ErofsFiles implements FileData, AutoCloseable {

    private final Path image;
    private final FileChannel channel;
    private final int inodes;
    private final long placesAt;

    private ErofsFiles(Path image, FileChannel channel, int inodes, long placesAt) {
        this.image = image;
        this.channel = channel;
        this.inodes = inodes;
        this.placesAt = placesAt;
    }

    /**
     * Opens an image.
     *
     * @param index of the layer that it was written from
     * @throws java.nio.file.NoSuchFileException if there is none
     * @throws DataLossException if it is not of that layer, or not whole
     */
    public static ErofsFiles open(Path image, LayerIndex index) throws IOException {
        FileChannel channel = FileChannel.open(image, StandardOpenOption.READ);
        try {
            ByteBuffer block = ByteBuffer.allocate(BLOCK).order(ByteOrder.LITTLE_ENDIAN);
            boolean whole = readFully(channel, block, 0);
            long end = Integer.toUnsignedLong(block.getInt(SUPER_OFFSET + 36)) * BLOCK;
            if (!whole
                    || block.getInt(SUPER_OFFSET) != MAGIC
                    || block.getLong(SUPER_OFFSET + 16) != index.inodes()
                    || channel.size() != end + placesBytes(index.inodes())) {
                throw new DataLossException(
                        "image %s is damaged, or of another layer: remove it, it is written again".formatted(image));
            }
            return new ErofsFiles(image, channel, index.inodes(), end);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    public Path path() {
        return image;
    }

    /** Bytes of the image. */
    public long bytes() {
        return placesAt + placesBytes(inodes);
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to) throws IOException {
        long place = Integer.toUnsignedLong(bytes(Integer.BYTES, placesAt + (long) inode * Integer.BYTES)
                        .getInt(0))
                * SLOT;
        ByteBuffer head = bytes(INODE, place);
        long size = head.getLong(8);
        boolean inline = head.getShort(0) >> 1 == LAYOUT_INLINE;
        long tailOffset = inline ? size / BLOCK * BLOCK : size;
        long end = offset + to.remaining();
        if (end > size) {
            throw new IOException("byte %d is behind the end of inode %d in %s".formatted(end, inode, image));
        }
        int limit = to.limit();
        if (offset < tailOffset) {
            int whole = (int) (Math.min(end, tailOffset) - offset);
            to.limit(to.position() + whole);
            readFully(to, Integer.toUnsignedLong(head.getInt(16)) * BLOCK + offset);
            to.limit(limit);
            offset += whole;
        }
        if (to.hasRemaining()) {
            int xattrs = InodeXattrs.size(Short.toUnsignedInt(head.getShort(2)));
            readFully(to, place + INODE + xattrs + offset - tailOffset);
        }
    }

    @Override
    public boolean readLocal(int inode, long offset, ByteBuffer to) throws IOException {
        read(inode, offset, to);
        return true;
    }

    private ByteBuffer bytes(int count, long position) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        readFully(bytes, position);
        return bytes;
    }

    private void readFully(ByteBuffer to, long position) throws IOException {
        if (!readFully(channel, to, position)) {
            throw new IOException("image %s ends before byte %d".formatted(image, position + to.remaining()));
        }
    }

    private static boolean readFully(FileChannel channel, ByteBuffer to, long position) throws IOException {
        int begin = to.position();
        while (to.hasRemaining()) {
            if (channel.read(to, position + to.position() - begin) < 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
