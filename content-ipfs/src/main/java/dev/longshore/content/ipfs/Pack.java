package dev.longshore.content.ipfs;

import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * The table at the end of a pack: of which blob it is, and which of its bytes are which block. The file is the blob, at the same
 * offsets, then its nodes, then this table, its checksum and length: it is known to be whole when it is read. Blocks that another
 * pack has too may have been taken out of the file, whose length stays: whoever reads one verifies it.
 *
 * @param root of the blob's DAG
 * @param size bytes of the blob
 * @param parts the leaves in their order, then the nodes
 */
record Pack(Digest digest, Cid root, long size, Instant created, List<Part> parts) {

    /**
     * A block.
     *
     * @param offset in the pack
     * @param leaf whether it is the blob's bytes at the same offset
     */
    record Part(Cid cid, long offset, int length, boolean leaf) {}

    private static final long MAGIC = 0x4c5348_49504653L; // LSHIPFS
    private static final int FOOTER = 4 + 4 + 8; // checksum, length, magic
    private static final int MAX_TABLE = 1 << 30;

    Pack {
        parts = List.copyOf(parts);
    }

    /** The table, as it is written behind the nodes. */
    byte[] table() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(parts.size() * 56 + 256);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(digest.toString());
            writeCid(out, root);
            out.writeLong(size);
            out.writeLong(created.getEpochSecond());
            out.writeInt(created.getNano());
            out.writeInt(parts.size());
            for (Part part : parts) {
                writeCid(out, part.cid());
                out.writeLong(part.offset());
                out.writeInt(part.length());
                out.writeBoolean(part.leaf());
            }
            byte[] table = bytes.toByteArray();
            out.writeInt(checksum(table));
            out.writeInt(table.length);
            out.writeLong(MAGIC);
        } catch (IOException e) {
            throw new IllegalStateException("memory does not fail", e);
        }
        return bytes.toByteArray();
    }

    private static void writeCid(DataOutputStream out, Cid cid) throws IOException {
        byte[] bytes = cid.bytes();
        out.writeShort(bytes.length);
        out.write(bytes);
    }

    /** The table of a pack; empty if the file is not one that was written to its end, or is damaged there. */
    static Optional<Pack> read(FileChannel file) throws IOException {
        long end = file.size();
        if (end < FOOTER) {
            return Optional.empty();
        }
        ByteBuffer footer = readAt(file, end - FOOTER, FOOTER);
        int checksum = footer.getInt();
        int length = footer.getInt();
        if (footer.getLong() != MAGIC || length < 0 || length > Math.min(MAX_TABLE, end - FOOTER)) {
            return Optional.empty();
        }
        byte[] table = readAt(file, end - FOOTER - length, length).array();
        if (checksum(table) != checksum) {
            return Optional.empty();
        }
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(table))) {
            Digest digest = Digest.parse(in.readUTF());
            Cid root = readCid(in);
            long size = in.readLong();
            Instant created = Instant.ofEpochSecond(in.readLong(), in.readInt());
            int count = in.readInt();
            List<Part> parts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                Part part = new Part(readCid(in), in.readLong(), in.readInt(), in.readBoolean());
                if (part.length() < 0 || part.length() > BlockSource.MAX_BLOCK) {
                    return Optional.empty();
                }
                parts.add(part);
            }
            return Optional.of(new Pack(digest, root, size, created, parts));
        } catch (EOFException | InvalidArgumentException e) {
            return Optional.empty(); // of another version
        }
    }

    private static Cid readCid(DataInputStream in) throws IOException {
        return Cid.decode(in.readNBytes(in.readUnsignedShort()));
    }

    private static int checksum(byte[] table) {
        CRC32C checksum = new CRC32C();
        checksum.update(table);
        return (int) checksum.getValue();
    }

    /** Exactly {@code length} bytes, ready to be read. */
    static ByteBuffer readAt(FileChannel file, long offset, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (file.read(buffer, offset + buffer.position()) < 0) {
                throw new EOFException("file ends before byte %d".formatted(offset + length));
            }
        }
        return buffer.flip();
    }

    static void writeAt(FileChannel file, long offset, ByteBuffer bytes) throws IOException {
        long position = offset;
        while (bytes.hasRemaining()) {
            position += file.write(bytes, position);
        }
    }
}
