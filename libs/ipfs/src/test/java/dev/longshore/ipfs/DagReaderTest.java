package dev.longshore.ipfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.ipfs.DagPb.Link;
import dev.longshore.ipfs.DagReader.Leaf;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class DagReaderTest {

    private final MemoryBlocks blocks = new MemoryBlocks();

    private DagReader open(Cid root) throws IOException {
        return new DagReader(blocks.verified("memory"), root, MemoryBlocks.DEADLINE);
    }

    private static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }

    private byte[] read(DagReader reader, long offset, int size) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(size);
        while (buffer.hasRemaining() && reader.read(buffer, offset + buffer.position(), MemoryBlocks.DEADLINE) >= 0) {}
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    /** @param told what the node says of its own size */
    private Cid node(long told, List<Cid> links, long... sizes) {
        byte[] data = UnixFs.encode(told, sizes);
        return blocks.put(
                Codec.DAG_PB,
                new DagPb(links.stream().map(cid -> new Link(cid, "", 1)).toList(), Optional.of(data)).encode());
    }

    @Test
    void aFileIsReadAtAnyOffsetFromTheBlocksOfThatRangeOnly() throws IOException {
        byte[] file = bytes(180 * FileImporter.CHUNK + 5);
        Cid root = blocks.importFile(file, 1 << 20);
        DagReader reader = open(root);
        assertThat(reader.size()).isEqualTo(file.length);
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            int offset = random.nextInt(file.length);
            int size = Math.min(file.length - offset, random.nextInt(600_000));
            assertThat(read(reader, offset, size)).isEqualTo(Arrays.copyOfRange(file, offset, offset + size));
        }
        assertThat(read(reader, file.length, 1)).isEmpty();
        assertThat(reader.read(ByteBuffer.allocate(1), file.length, MemoryBlocks.DEADLINE))
                .isEqualTo(-1);

        DagReader fresh = open(root);
        blocks.asked.clear();
        read(fresh, 100L * FileImporter.CHUNK + 7, 4096);
        assertThat(blocks.asked).as("a node of the lower level and a leaf").hasSize(2);
    }

    @Test
    void aWalkTellsAllLeavesInOrderAndAsksForNone() throws IOException {
        byte[] file = bytes(180 * FileImporter.CHUNK + 5);
        DagReader reader = open(blocks.importFile(file, 1 << 20));
        List<Leaf> leaves = new ArrayList<>();
        List<Cid> nodes = new ArrayList<>();
        reader.walk(visitor(leaves, nodes), MemoryBlocks.DEADLINE);
        assertThat(nodes).hasSize(3);
        long end = 0;
        for (Leaf leaf : leaves) {
            assertThat(leaf.offset()).isEqualTo(end);
            end += leaf.size();
            assertThat(leaf.cid()).isNotIn(blocks.asked);
        }
        assertThat(end).isEqualTo(file.length);
    }

    private static DagReader.Visitor visitor(List<Leaf> leaves, List<Cid> nodes) {
        return new DagReader.Visitor() {
            @Override
            public void leaf(Leaf leaf) {
                leaves.add(leaf);
            }

            @Override
            public void node(Cid cid, byte[] block, long offset, byte[] data) {
                nodes.add(cid);
            }
        };
    }

    /** Kubo made leaves of dag-pb before it made raw ones, as version 0 still does. */
    @Test
    void bytesMayBeInNodes() throws IOException {
        byte[] file = bytes(1000);
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.writeBytes(new byte[] {0x08, 2, 0x12});
        Varints.write(data, 1000);
        data.writeBytes(file);
        data.writeBytes(new byte[] {0x18});
        Varints.write(data, 1000);
        Cid leaf = blocks.put(Codec.DAG_PB, new DagPb(List.of(), Optional.of(data.toByteArray())).encode());
        Cid root = node(2000, List.of(leaf, leaf), 1000, 1000);
        DagReader reader = open(root);
        assertThat(read(reader, 500, 1000))
                .isEqualTo(ByteBuffer.allocate(1000)
                        .put(file, 500, 500)
                        .put(file, 0, 500)
                        .array());
        List<Cid> nodes = new ArrayList<>();
        reader.walk(visitor(new ArrayList<>(), nodes), MemoryBlocks.DEADLINE);
        assertThat(nodes).containsExactly(root, leaf, leaf);
    }

    @Test
    void aBlockWithOtherBytesIsRefusedWhereItIsRead() throws IOException {
        byte[] file = bytes(3 * FileImporter.CHUNK);
        Cid root = blocks.importFile(file, 1 << 20);
        Cid second = Cid.of(Codec.RAW, Arrays.copyOfRange(file, FileImporter.CHUNK, 2 * FileImporter.CHUNK));
        blocks.blocks.put(second, bytes(FileImporter.CHUNK));
        DagReader reader = open(root);
        assertThat(read(reader, 0, 100)).hasSize(100);
        assertThatThrownBy(() -> read(reader, FileImporter.CHUNK, 1))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContaining(second.toString());
    }

    @Test
    void sizesThatContradictEachOtherAreRefused() throws IOException {
        Cid leaf = blocks.put(Codec.RAW, bytes(100));
        refused(node(200, List.of(leaf), 100), "says that it has 200 bytes");
        refused(node(100, List.of(leaf), 60, 40), "2 sizes for 1 links");
        refused(node(0, List.of(leaf), 0), "child of no bytes");
        refused(node(0, List.of(leaf, leaf), Long.MAX_VALUE, Long.MAX_VALUE), "too large");
        DagReader reader = open(node(101, List.of(leaf), 101));
        assertThatThrownBy(() -> read(reader, 0, 101))
                .isInstanceOf(DagFormatException.class)
                .hasMessageContaining(leaf.toString());
        DagReader inner = open(node(300, List.of(node(100, List.of(leaf), 100)), 300));
        assertThatThrownBy(() -> read(inner, 0, 1)).isInstanceOf(DagFormatException.class);
        assertThatThrownBy(() -> inner.walk(visitor(new ArrayList<>(), new ArrayList<>()), MemoryBlocks.DEADLINE))
                .isInstanceOf(DagFormatException.class);
    }

    private void refused(Cid root, String told) {
        assertThatThrownBy(() -> open(root))
                .isInstanceOf(DagFormatException.class)
                .hasMessageContaining(root.toString())
                .hasMessageContaining(told);
    }

    /** No hash can be made for a cycle; what comes nearest is a chain that never gets anywhere. */
    @Test
    void aChainOfNodesEndsAtALimit() throws IOException {
        Cid cid = blocks.put(Codec.RAW, bytes(10));
        for (int i = 0; i < 1000; i++) {
            cid = node(10, List.of(cid), 10);
        }
        DagReader reader = open(cid);
        assertThatThrownBy(() -> read(reader, 0, 10))
                .isInstanceOf(DagFormatException.class)
                .hasMessageContaining("levels");
        blocks.asked.clear();
        assertThatThrownBy(() -> reader.walk(visitor(new ArrayList<>(), new ArrayList<>()), MemoryBlocks.DEADLINE))
                .isInstanceOf(DagFormatException.class);
        assertThat(blocks.asked).hasSizeLessThan(50);
    }

    @Test
    void aSourceThatAnswersACycleIsFoundOut() throws IOException {
        Cid child = blocks.put(Codec.RAW, bytes(10));
        Cid parent = node(10, List.of(child), 10);
        Cid top = node(10, List.of(parent), 10);
        blocks.blocks.put(parent, blocks.blocks.get(top)); // which links to parent
        DagReader reader = open(top);
        assertThatThrownBy(() -> read(reader, 0, 10))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContaining(parent.toString());
    }

    @Test
    void aNodeOfAMillionLinksIsRefused() throws IOException {
        Cid leaf = blocks.put(Codec.RAW, new byte[] {1});
        byte[] block = new DagPb(Collections.nCopies(1_000_000, new Link(leaf, "", 1)), Optional.empty()).encode();
        Cid root = blocks.put(Codec.DAG_PB, block);
        assertThatThrownBy(() -> open(root))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContaining("bytes, more than");
        byte[] smaller = new DagPb(Collections.nCopies(20_000, new Link(leaf, "", 1)), Optional.empty()).encode();
        refused(blocks.put(Codec.DAG_PB, smaller), "more than 16384 links");
    }

    /** A walk holds no more than the nodes above where it is. */
    @Test
    void aTreeThatSaysItIsHugeIsLeftAsSoonAsItIs() throws IOException {
        Cid cid = blocks.put(Codec.RAW, bytes(1 << 20));
        long size = 1 << 20;
        for (int i = 0; i < 4; i++) {
            long[] sizes = new long[1000];
            Arrays.fill(sizes, size);
            cid = node(1000 * size, Collections.nCopies(1000, cid), sizes);
            size *= 1000;
        }
        DagReader reader = open(cid);
        assertThat(reader.size()).isEqualTo(size);
        assertThat(read(reader, size - 10, 10)).hasSize(10);
        assertThatThrownBy(() -> reader.walk(
                        new DagReader.Visitor() {
                            private int leaves;

                            @Override
                            public void leaf(Leaf leaf) throws IOException {
                                if (++leaves > 10_000) {
                                    throw new IOException("enough");
                                }
                            }

                            @Override
                            public void node(Cid cid, byte[] block, long offset, byte[] data) {}
                        },
                        MemoryBlocks.DEADLINE))
                .hasMessage("enough");
    }
}
