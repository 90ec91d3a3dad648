package dev.longshore.ipfs;

import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Blocks in memory, and a list of those that were asked for. */
final class MemoryBlocks implements BlockSource {

    static final Deadline DEADLINE = Deadline.after(Duration.ofMinutes(10));

    final Map<Cid, byte[]> blocks = new HashMap<>();
    final List<Cid> asked = new ArrayList<>();

    Cid put(Codec codec, byte[] block) {
        Cid cid = Cid.of(codec, block);
        blocks.put(cid, block);
        return cid;
    }

    /** A file as Kubo would add it, in pieces of {@code piece} bytes. */
    Cid importFile(byte[] file, int piece) throws IOException {
        FileImporter importer = new FileImporter(new FileImporter.Sink() {
            @Override
            public void leaf(Cid cid, long offset, int length) {
                byte[] block = new byte[length];
                System.arraycopy(file, (int) offset, block, 0, length);
                blocks.put(cid, block);
            }

            @Override
            public void node(Cid cid, byte[] block) {
                blocks.put(cid, block);
            }
        });
        for (int offset = 0; offset < file.length; offset += piece) {
            importer.add(ByteBuffer.wrap(file, offset, Math.min(piece, file.length - offset)));
        }
        return importer.finish();
    }

    @Override
    public byte[] get(Cid cid, Deadline deadline) throws IOException {
        asked.add(cid);
        byte[] block = blocks.get(cid);
        if (block == null) {
            throw new MissingBlockException("memory does not have block " + cid);
        }
        return block;
    }
}
