package dev.longshore.ipfs;

import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Cuts a file into blocks, whose root has the CID that {@code ipfs add --cid-version=1} gives: chunks of 256 KiB as raw blocks, and
 * a balanced tree of nodes with 174 links over them. Bytes go through it without being kept. For one thread at a time.
 */
public final class FileImporter {

    /** Bytes of all leaves but the last. */
    public static final int CHUNK = 256 << 10;

    /** Kubo's default. */
    private static final int LINKS = 174;

    /** Gets the blocks, each leaf before the node that links to it. */
    public interface Sink {

        /** {@code length} bytes of the file at {@code offset} are a block. */
        void leaf(Cid cid, long offset, int length) throws IOException;

        void node(Cid cid, byte[] block) throws IOException;
    }

    /**
     * A block that no node links to yet.
     *
     * @param fileSize bytes of the file below it
     * @param totalSize bytes of it and of all blocks below
     */
    private record Part(Cid cid, long fileSize, long totalSize) {}

    private final Sink sink;
    private final MessageDigest chunk = Digest.digester("sha256");
    private final List<List<Part>> levels = new ArrayList<>();
    private int chunkSize;
    private long size;

    public FileImporter(Sink sink) {
        this.sink = sink;
    }

    /** Takes what remains in {@code bytes}. */
    public void add(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            int count = Math.min(bytes.remaining(), CHUNK - chunkSize);
            ByteBuffer part = bytes.slice(bytes.position(), count);
            chunk.update(part);
            bytes.position(bytes.position() + count);
            chunkSize += count;
            if (chunkSize == CHUNK) {
                endChunk();
            }
        }
    }

    private void endChunk() throws IOException {
        Cid cid = Cid.sha256(Codec.RAW, chunk.digest());
        sink.leaf(cid, size, chunkSize);
        size += chunkSize;
        push(0, new Part(cid, chunkSize, chunkSize));
        chunkSize = 0;
    }

    private void push(int level, Part part) throws IOException {
        if (level == levels.size()) {
            levels.add(new ArrayList<>());
        }
        List<Part> parts = levels.get(level);
        parts.add(part);
        if (parts.size() == LINKS) {
            join(level);
        }
    }

    private void join(int level) throws IOException {
        List<Part> parts = List.copyOf(levels.get(level));
        levels.get(level).clear();
        long[] sizes = parts.stream().mapToLong(Part::fileSize).toArray();
        long fileSize = parts.stream().mapToLong(Part::fileSize).sum();
        DagPb node = new DagPb(
                parts.stream()
                        .map(part -> new DagPb.Link(part.cid(), "", part.totalSize()))
                        .toList(),
                Optional.of(UnixFs.encode(fileSize, sizes)));
        byte[] block = node.encode();
        Cid cid = Cid.of(Codec.DAG_PB, block);
        sink.node(cid, block);
        push(
                level + 1,
                new Part(
                        cid,
                        fileSize,
                        block.length + parts.stream().mapToLong(Part::totalSize).sum()));
    }

    /** Ends the file; nothing may be added afterwards. */
    public Cid finish() throws IOException {
        if (chunkSize > 0 || size == 0) {
            endChunk();
        }
        for (int level = 0; ; level++) {
            List<Part> parts = levels.get(level);
            boolean last = level == levels.size() - 1;
            if (last && parts.size() == 1) {
                return parts.getFirst().cid();
            }
            if (!parts.isEmpty()) {
                join(level);
            }
        }
    }

    /** The CID that the file has. Reads {@code in} to its end. */
    public static Cid cid(InputStream in) throws IOException {
        FileImporter importer = new FileImporter(new Sink() {
            @Override
            public void leaf(Cid cid, long offset, int length) {}

            @Override
            public void node(Cid cid, byte[] block) {}
        });
        byte[] buffer = new byte[CHUNK];
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            importer.add(ByteBuffer.wrap(buffer, 0, count));
        }
        return importer.finish();
    }
}
