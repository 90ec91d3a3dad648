package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Pack.Part;
import dev.longshore.content.ipfs.Packs.Node;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.FileImporter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Remembers the blocks of a file that is cut: where its leaves are, and its nodes. */
record Imported(List<Part> leaves, List<Node> nodes) implements FileImporter.Sink {

    Imported() {
        this(new ArrayList<>(), new ArrayList<>());
    }

    @Override
    public void leaf(Cid cid, long offset, int length) {
        leaves.add(new Part(cid, offset, length, true));
    }

    @Override
    public void node(Cid cid, byte[] block) {
        nodes.add(new Node(cid, ByteBuffer.wrap(block)));
    }
}
