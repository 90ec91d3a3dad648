package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.IndexFormat.*;

import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/** Lays an index out and writes it. */
final class IndexWriter {

    private final Records inodes;
    private final NameTable names;
    private final Records chunks;
    private final Records streams;
    private final TextPool targets;
    private final TextPool xattrs;

    /** The names' nodes, sorted by folder and name. */
    private final int[] order;

    IndexWriter(Records inodes, NameTable names, Records chunks, Records streams, TextPool targets, TextPool xattrs) {
        this.inodes = inodes;
        this.names = names;
        this.chunks = chunks;
        this.streams = streams;
        this.targets = targets;
        this.xattrs = xattrs;
        this.order = order();
    }

    /** Also sets what inodes say of names: how many there are of it, and where those in it are. */
    private int[] order() {
        ByteBuffer view = inodes.view();
        int shown = 0;
        for (int node = 0; node < names.size(); node++) {
            int inode = names.inode(node);
            if (inode != 0) {
                increment(view, at(names.parent(node)) + I_COUNT);
                increment(view, at(inode) + I_LINKS);
                shown++;
            }
        }
        int first = 0;
        int[] next = new int[inodes.count() + 1];
        for (int inode = 1; inode <= inodes.count(); inode++) {
            if (isFolder(inode)) {
                view.putInt(at(inode) + I_FIRST, first);
                next[inode] = first;
                first += view.getInt(at(inode) + I_COUNT);
            }
        }
        int[] result = new int[shown];
        for (int node = 0; node < names.size(); node++) {
            if (names.inode(node) != 0) {
                result[next[names.parent(node)]++] = node;
            }
        }
        sortFolders(result);
        return result;
    }

    private void sortFolders(int[] nodes) {
        ByteBuffer view = inodes.view();
        for (int inode = 1; inode <= inodes.count(); inode++) {
            if (!isFolder(inode)) {
                continue;
            }
            int first = view.getInt(at(inode) + I_FIRST);
            int count = view.getInt(at(inode) + I_COUNT);
            Integer[] folder = new Integer[count];
            int folders = 0;
            for (int i = 0; i < count; i++) {
                folder[i] = nodes[first + i];
                folders += isFolder(names.inode(folder[i])) ? 1 : 0;
            }
            Arrays.sort(folder, names::compare);
            for (int i = 0; i < count; i++) {
                nodes[first + i] = folder[i];
            }
            view.putInt(at(inode) + I_LINKS, 2 + folders);
        }
    }

    private static void increment(ByteBuffer view, int at) {
        view.putInt(at, view.getInt(at) + 1);
    }

    private int at(int inode) {
        return inodes.at(inode - 1);
    }

    private boolean isFolder(int inode) {
        return type(inode) == FileStat.S_IFDIR;
    }

    private int type(int inode) {
        return inodes.view().getShort(at(inode) + I_MODE) & FileStat.S_IFMT;
    }

    void write(Path target, Consumer<ByteBuffer> header) throws IOException {
        int nameBytes = numberNames();
        long size = HEADER_SIZE
                + (long) inodes.count() * INODE_SIZE
                + (order.length + 1L) * NAME_SIZE
                + (long) chunks.count() * CHUNK_SIZE
                + (long) streams.count() * STREAM_SIZE
                + xattrs.content().remaining()
                + nameBytes
                + targets.content().remaining();
        if (size > Integer.MAX_VALUE) {
            throw new ResourceExhaustedException(
                    "an index of %d bytes is larger than the 2 GiB that one can have".formatted(size));
        }
        Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
        Files.deleteIfExists(temporary); // left by one that was killed
        try (FileChannel channel =
                FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.position(HEADER_SIZE);
            CRC32C crc = new CRC32C();
            put(channel, crc, inodes.content());
            put(channel, crc, nameRecords());
            put(channel, crc, chunks.content());
            put(channel, crc, streams.content());
            put(channel, crc, xattrs.content());
            put(channel, crc, nameText(nameBytes));
            put(channel, crc, targets.content());
            writeHeader(channel, header, nameBytes, (int) crc.getValue());
            channel.force(true);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(temporary);
            throw e;
        }
        DurableFiles.move(temporary, target);
    }

    private void writeHeader(FileChannel channel, Consumer<ByteBuffer> rest, int nameBytes, int crc)
            throws IOException {
        ByteBuffer header = ByteBuffer.allocate(HEADER_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        rest.accept(header);
        header.putLong(H_MAGIC, MAGIC)
                .putInt(H_INODES, inodes.count())
                .putInt(H_NAMES, order.length)
                .putInt(H_CHUNKS, chunks.count())
                .putInt(H_STREAMS, streams.count())
                .putInt(H_XATTR_BYTES, xattrs.content().remaining())
                .putInt(H_TEXT_BYTES, nameBytes + targets.content().remaining())
                .putInt(H_BODY_CRC, crc)
                .putInt(H_CRC, headerCrc(header));
        for (int written = 0; header.hasRemaining(); ) {
            written += channel.write(header, written);
        }
    }

    static int headerCrc(ByteBuffer header) {
        CRC32C crc = new CRC32C();
        crc.update(header.slice(0, H_CRC));
        return (int) crc.getValue();
    }

    private static void put(FileChannel channel, CRC32C crc, ByteBuffer content) throws IOException {
        crc.update(content.duplicate());
        while (content.hasRemaining()) {
            channel.write(content);
        }
    }

    /** From nodes to the places in the file, and symbolic links' targets to their place behind the names. */
    private int numberNames() {
        ByteBuffer view = inodes.view();
        int[] places = new int[names.size()];
        int bytes = 0;
        for (int i = 0; i < order.length; i++) {
            places[order[i]] = i;
            bytes += names.name(order[i]).length;
        }
        for (int inode = 1; inode <= inodes.count(); inode++) {
            int at = at(inode);
            view.putInt(at + I_NAME, inode == IndexBuilder.ROOT ? 0 : places[view.getInt(at + I_NAME)]);
            if (type(inode) == FileStat.S_IFLNK) {
                view.putInt(at + I_FIRST, view.getInt(at + I_FIRST) + bytes);
            }
        }
        return bytes;
    }

    private ByteBuffer nameRecords() {
        ByteBuffer records = ByteBuffer.allocate((order.length + 1) * NAME_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        int text = 0;
        for (int node : order) {
            records.putInt(text).putInt(names.inode(node));
            text += names.name(node).length;
        }
        return records.putInt(text).putInt(0).flip();
    }

    private ByteBuffer nameText(int bytes) {
        ByteBuffer text = ByteBuffer.allocate(bytes);
        for (int node : order) {
            text.put(names.name(node));
        }
        return text.flip();
    }
}
