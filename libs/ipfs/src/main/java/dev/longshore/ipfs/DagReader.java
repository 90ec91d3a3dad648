package dev.longshore.ipfs;

import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Reads a file from its blocks, at any offset, asking for those that are needed only. Hashes make cycles impossible; a tree that is
 * deep, has nodes of no bytes, or sizes that contradict each other is refused. Nodes that were read stay in memory, up to a bound;
 * leaves do not. Safe for use by many threads.
 */
public final class DagReader {

    /** Kubo's balanced tree of 174 links has 5 levels for 200 TB; its trickle layout has more. */
    private static final int MAX_DEPTH = 24;

    /** Links of nodes in memory. */
    private static final int CACHED_LINKS = 32_768;

    private final BlockSource source;
    private final Cid root;
    private final long size;
    private final ReentrantLock lock = new ReentrantLock();
    private final LinkedHashMap<Cid, Node> nodes = new LinkedHashMap<>(16, 0.75f, true);
    private int cachedLinks;

    /** @param file of as many block sizes as there are links */
    private record Node(List<Cid> links, UnixFs file) {}

    /** A leaf: {@code size} bytes of the file at {@code offset} are those of the block. */
    public record Leaf(Cid cid, long offset, int size) implements Place {}

    /** Gets the blocks of a file. */
    public interface Visitor {

        /** All that was asked for, in order. Its bytes have not been asked for. */
        void leaf(Leaf leaf) throws IOException;

        /**
         * A node, before what is below it.
         *
         * @param offset of the bytes of the file that are in the node itself, which follow those of the leaves before
         * @param data those bytes; none in what Kubo makes
         */
        void node(Cid cid, byte[] block, long offset, byte[] data) throws IOException;
    }

    /**
     * Reads the root.
     *
     * @param source gives verified blocks, see {@link BlockSource#verified}
     */
    public DagReader(BlockSource source, Cid root, Deadline deadline) throws IOException {
        this.source = source;
        this.root = root;
        byte[] block = source.get(root, deadline);
        this.size = root.codec() == Codec.RAW
                ? block.length
                : remember(root, block).file().fileSize();
    }

    /** Bytes of the file. */
    public long size() {
        return size;
    }

    private Node remember(Cid cid, byte[] block) throws IOException {
        Node node = node(cid, block);
        lock.lock();
        try {
            if (nodes.putIfAbsent(cid, node) == null) {
                cachedLinks += node.links().size();
            }
            var oldest = nodes.entrySet().iterator();
            while (cachedLinks > CACHED_LINKS && nodes.size() > 1) {
                cachedLinks -= oldest.next().getValue().links().size();
                oldest.remove();
            }
        } finally {
            lock.unlock();
        }
        return node;
    }

    private static Node node(Cid cid, byte[] block) throws DagFormatException {
        try {
            DagPb node = DagPb.decode(block);
            UnixFs file = UnixFs.decode(
                    node.data().orElseThrow(() -> new DagFormatException("a node of a file has no data")));
            if (file.childCount() != node.links().size()) {
                throw new DagFormatException("a UnixFS node has %d sizes for %d links"
                        .formatted(file.childCount(), node.links().size()));
            }
            return new Node(node.links().stream().map(DagPb.Link::cid).toList(), file);
        } catch (DagFormatException e) {
            throw new DagFormatException("block %s: %s".formatted(cid, e.getMessage()), e);
        }
    }

    private Node node(Cid cid, Deadline deadline) throws IOException {
        lock.lock();
        try {
            Node known = nodes.get(cid);
            if (known != null) {
                return known;
            }
        } finally {
            lock.unlock();
        }
        return remember(cid, source.get(cid, deadline));
    }

    /**
     * Reads from one block, so fewer bytes than fit may come.
     *
     * @return bytes read; -1 at or behind the end
     */
    public int read(ByteBuffer buffer, long offset, Deadline deadline) throws IOException {
        if (offset >= size) {
            return -1;
        }
        if (!buffer.hasRemaining()) {
            return 0;
        }
        return switch (find(offset, deadline)) {
            case Bytes(long start, ByteBuffer bytes) -> copy(bytes, (int) (offset - start), buffer);
            case Leaf leaf -> {
                byte[] bytes = source.get(leaf.cid(), deadline);
                check(leaf.cid(), 0, leaf.size(), bytes.length);
                yield copy(ByteBuffer.wrap(bytes), (int) (offset - leaf.offset()), buffer);
            }
        };
    }

    private static int copy(ByteBuffer bytes, int from, ByteBuffer buffer) {
        int count = Math.min(bytes.remaining() - from, buffer.remaining());
        buffer.put(buffer.position(), bytes, from, count);
        buffer.position(buffer.position() + count);
        return count;
    }

    /** What a byte of a file is in. */
    public sealed interface Place {}

    /** Bytes that are in a node itself, those of the file from {@code offset} on; at position 0, and read-only. */
    public record Bytes(long offset, ByteBuffer bytes) implements Place {}

    /**
     * Where the byte at {@code offset} is, asking for nodes only.
     *
     * @param offset before the end
     */
    public Place find(long offset, Deadline deadline) throws IOException {
        Cid cid = root;
        long start = 0;
        long expected = size;
        for (int depth = 0; cid.codec() == Codec.DAG_PB; depth++) {
            Node node = node(cid, deadline);
            check(cid, depth, expected, node.file().fileSize());
            UnixFs file = node.file();
            if (offset - start < file.data().length) {
                return new Bytes(start, ByteBuffer.wrap(file.data()).asReadOnlyBuffer());
            }
            start += file.data().length;
            int child = 0;
            while (offset - start >= file.childSize(child)) {
                start += file.childSize(child++);
            }
            cid = node.links().get(child);
            expected = file.childSize(child);
        }
        if (expected > BlockSource.MAX_BLOCK) {
            throw tooLarge(cid, expected);
        }
        return new Leaf(cid, start, (int) expected);
    }

    private static void check(Cid cid, int depth, long expected, long size) throws DagFormatException {
        if (depth > MAX_DEPTH) {
            throw new DagFormatException("block %s is more than %d levels below its root".formatted(cid, MAX_DEPTH));
        }
        if (size != expected) {
            throw new DagFormatException(
                    "block %s has %d bytes of a file, where the node above says %d".formatted(cid, size, expected));
        }
    }

    private static DagFormatException tooLarge(Cid cid, long size) {
        return new DagFormatException("block %s is said to have %d bytes, more than a block has".formatted(cid, size));
    }

    /** What is still to be visited. */
    private record Step(Cid cid, int depth, long size) {}

    /**
     * Goes through the whole file, asking for nodes only. It ends because each step has at least one byte of the file, or is a
     * level deeper.
     */
    public void walk(Visitor visitor, Deadline deadline) throws IOException {
        walk(visitor, 0, Long.MAX_VALUE, deadline);
    }

    /** As {@link #walk(Visitor, Deadline)}, through the root and what has bytes from {@code from} to before {@code to}. */
    public void walk(Visitor visitor, long from, long to, Deadline deadline) throws IOException {
        if (size == 0) {
            walkEmpty(visitor, deadline);
            return;
        }
        Deque<Step> steps = new ArrayDeque<>();
        steps.push(new Step(root, 0, size));
        long offset = 0;
        while (!steps.isEmpty()) {
            Step step = steps.pop();
            if (step.depth() > 0 && (offset >= to || offset + step.size() <= from)) {
                offset += step.size();
                continue;
            }
            if (step.cid().codec() == Codec.RAW) {
                if (step.size() > BlockSource.MAX_BLOCK) {
                    throw tooLarge(step.cid(), step.size());
                }
                visitor.leaf(new Leaf(step.cid(), offset, (int) step.size()));
                offset += step.size();
                continue;
            }
            byte[] block = source.get(step.cid(), deadline);
            Node node = node(step.cid(), block);
            UnixFs file = node.file();
            check(step.cid(), step.depth(), step.size(), file.fileSize());
            visitor.node(step.cid(), block, offset, file.data());
            offset += file.data().length;
            for (int i = node.links().size() - 1; i >= 0; i--) {
                steps.push(new Step(node.links().get(i), step.depth() + 1, file.childSize(i)));
            }
        }
    }

    private void walkEmpty(Visitor visitor, Deadline deadline) throws IOException {
        if (root.codec() == Codec.RAW) {
            visitor.leaf(new Leaf(root, 0, 0));
        } else {
            visitor.node(root, source.get(root, deadline), 0, new byte[0]);
        }
    }
}
