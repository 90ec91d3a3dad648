package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
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
        RawLayer.decode(compression, stream, 200_001, chunk);
        assertThat(chunk).isEqualTo(Arrays.copyOfRange(content, 200_001, 201_001));
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void streamsComeOneAfterAnotherAndAllChunksOfEach(Compression compression) throws IOException {
        byte[] content = new byte[300_000];
        new Random(7).nextBytes(content);
        byte[] one = RawLayer.compress(compression, content);
        byte[] other = RawLayer.compress(compression, bytes("hello world"));
        InputStream source = new ByteArrayInputStream(RawLayer.join(one, other, bytes("rest")));
        try (ChunkDecoder decoder = ChunkDecoder.of(compression, source)) {
            decoder.begin(one.length);
            ByteBuffer direct = ByteBuffer.allocateDirect(1000);
            for (int offset : new int[] {0, 1000, 150_000}) {
                decoder.read(offset, direct.clear());
                byte[] chunk = new byte[1000];
                direct.flip().get(chunk);
                assertThat(chunk).isEqualTo(Arrays.copyOfRange(content, offset, offset + 1000));
            }
            assertThatThrownBy(() -> decoder.read(150_999, direct.clear()))
                    .isInstanceOf(IllegalArgumentException.class);
            decoder.end();
            decoder.begin(other.length);
            ByteBuffer heap = ByteBuffer.allocate(5);
            decoder.read(6, heap);
            assertThat(heap.array()).isEqualTo(bytes("world"));
            decoder.end();
        }
        assertThat(source.readAllBytes()).isEqualTo(bytes("rest"));
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void aSourceThatEndsInAStreamIsNoDamage(Compression compression) throws IOException {
        byte[] stream = RawLayer.compress(compression, bytes("hello world"));
        InputStream half = new ByteArrayInputStream(Arrays.copyOf(stream, stream.length / 2));
        try (ChunkDecoder decoder = ChunkDecoder.of(compression, half)) {
            assertThatThrownBy(() -> {
                        decoder.begin(stream.length);
                        decoder.read(0, ByteBuffer.allocate(11));
                    })
                    .isInstanceOf(IOException.class)
                    .isNotInstanceOf(LayerFormatException.class)
                    .hasMessageContaining("mid-stream");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void noMoreThanTheChunkIsDecompressed(Compression compression) throws IOException {
        byte[] stream = RawLayer.compress(compression, new byte[100 << 20]);
        byte[] chunk = new byte[10];
        long before = System.nanoTime();
        RawLayer.decode(compression, stream, 0, chunk);
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
            assertThatThrownBy(() -> RawLayer.decode(compression, damaged, 6, new byte[6]))
                    .isInstanceOf(LayerFormatException.class);
            assertThatThrownBy(() -> RawLayer.decode(compression, damaged, 1L << 29, new byte[6]))
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
        RawLayer.decode(Compression.GZIP, stream, 0, chunk);
        assertThat(chunk).isEqualTo(bytes("hello"));
        for (int length = 0; length < header.length + 3; length++) {
            byte[] cut = Arrays.copyOf(stream, length);
            assertThatThrownBy(() -> RawLayer.decode(Compression.GZIP, cut, 0, chunk))
                    .isInstanceOf(LayerFormatException.class);
        }
    }
}
