package dev.longshore.ipfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class FileImporterTest {

    private static final int CHUNK = FileImporter.CHUNK;

    @Test
    void anEmptyFileIsOneRawBlock() throws IOException {
        assertThat(FileImporter.cid(InputStream.nullInputStream()))
                .hasToString("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    }

    /** Printed by the IPFS documentation. */
    @Test
    void aSmallFileIsOneRawBlock() throws IOException {
        assertThat(FileImporter.cid(new ByteArrayInputStream("hello world".getBytes(StandardCharsets.UTF_8))))
                .hasToString("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    }

    @ParameterizedTest
    @ValueSource(ints = {CHUNK - 1, CHUNK, CHUNK + 1, 174 * CHUNK, 175 * CHUNK + 1})
    void aFileHasTheSameTreeHoweverItArrives(int size) throws IOException {
        byte[] file = new byte[size];
        new Random(size).nextBytes(file);
        MemoryBlocks blocks = new MemoryBlocks();
        Cid root = blocks.importFile(file, 1 << 20);
        assertThat(new MemoryBlocks().importFile(file, 77_777)).isEqualTo(root);
        assertThat(FileImporter.cid(new ByteArrayInputStream(file))).isEqualTo(root);
        assertThat(root.codec()).isEqualTo(size <= CHUNK ? Codec.RAW : Codec.DAG_PB);
        int leaves = (size + CHUNK - 1) / CHUNK;
        int nodes = leaves == 1 ? 0 : leaves <= 174 ? 1 : (leaves + 173) / 174 + 1;
        assertThat(blocks.blocks).hasSize(leaves + nodes);
        assertThat(new DagReader(blocks.verified("memory"), root, MemoryBlocks.DEADLINE).size())
                .isEqualTo(size);
    }
}
