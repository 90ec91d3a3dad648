package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ChunkDecoderTest {

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void aChunkIsFoundInTheMiddleOfItsStream(Compression compression) throws IOException {
        byte[] content = new byte[300_000];
        new Random(7).nextBytes(content);
        byte[] stream = RawLayer.join(RawLayer.compress(compression, content), bytes("what is behind is for others"));
        byte[] chunk = new byte[1000];
        ChunkDecoder.decode(compression, ByteBuffer.wrap(stream), 200_001, chunk);
        assertThat(chunk).isEqualTo(Arrays.copyOfRange(content, 200_001, 201_001));
        ByteBuffer direct = ByteBuffer.allocateDirect(stream.length + 5).position(5);
        direct.put(stream).position(5);
        ChunkDecoder.decode(compression, direct, 0, chunk);
        assertThat(chunk).isEqualTo(Arrays.copyOf(content, 1000));
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void noMoreThanTheChunkIsDecompressed(Compression compression) throws IOException {
        byte[] stream = RawLayer.compress(compression, new byte[100 << 20]);
        byte[] chunk = new byte[10];
        long before = System.nanoTime();
        ChunkDecoder.decode(compression, ByteBuffer.wrap(stream), 0, chunk);
        assertThat(chunk).containsOnly(0);
        assertThat(System.nanoTime() - before).as("nanoseconds").isLessThan(50_000_000);
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void aStreamThatEndsBeforeItsChunkIsRefused(Compression compression) {
        byte[] stream = RawLayer.compress(compression, bytes("hello world"));
        for (byte[] damaged : new byte[][] {
            stream,
            Arrays.copyOf(stream, stream.length / 2),
            Arrays.copyOf(stream, 3),
            new byte[0],
            bytes("no stream at all")
        }) {
            assertThatThrownBy(() -> ChunkDecoder.decode(compression, ByteBuffer.wrap(damaged), 6, new byte[6]))
                    .isInstanceOf(LayerFormatException.class);
            assertThatThrownBy(() -> ChunkDecoder.decode(compression, ByteBuffer.wrap(damaged), 1L << 29, new byte[6]))
                    .isInstanceOf(LayerFormatException.class);
        }
    }

    @Test
    void allFieldsOfAHeaderArePassedOver() throws IOException {
        byte[] plain = RawLayer.compress(Compression.GZIP, bytes("hello"));
        byte[] header = RawLayer.join(
                new byte[] {0x1f, (byte) 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3},
                new byte[] {3, 0, 7, 7, 7},
                bytes("name\0comment\0"));
        CRC32 crc = new CRC32();
        crc.update(header);
        byte[] sum = {(byte) crc.getValue(), (byte) (crc.getValue() >> 8)};
        byte[] stream = RawLayer.join(header, sum, Arrays.copyOfRange(plain, 10, plain.length));
        byte[] chunk = new byte[5];
        ChunkDecoder.decode(Compression.GZIP, ByteBuffer.wrap(stream), 0, chunk);
        assertThat(chunk).isEqualTo(bytes("hello"));
        for (int length = 0; length < header.length + 3; length++) {
            byte[] cut = Arrays.copyOf(stream, length);
            assertThatThrownBy(() -> ChunkDecoder.decode(Compression.GZIP, ByteBuffer.wrap(cut), 0, chunk))
                    .isInstanceOf(LayerFormatException.class);
        }
    }
}
