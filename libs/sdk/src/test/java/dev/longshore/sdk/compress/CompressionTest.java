package dev.longshore.sdk.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CompressionTest {

    private static byte[] compressed(Compression compression, byte[] plain) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = compression.compress(bytes)) {
            out.write(plain);
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(String plain) throws IOException {
        return compressed(Compression.GZIP, bytes(plain));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] decompressed(byte[] bytes) throws IOException {
        try (InputStream plain = Compression.decompress(new ByteArrayInputStream(bytes))) {
            return plain.readAllBytes();
        }
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private static void assertRefused(byte[] bytes, String why) {
        assertThatThrownBy(() -> decompressed(bytes))
                .isInstanceOf(CompressionException.class)
                .hasMessageContaining(why);
    }

    /** Half of it noise, so that it has matches and literals. */
    private static byte[] sample(int size) {
        byte[] sample = new byte[size];
        new Random(size).nextBytes(sample);
        Arrays.fill(sample, 0, size / 2, (byte) 'z');
        return sample;
    }

    @ParameterizedTest
    @EnumSource
    void whatIsCompressedIsDecompressed(Compression compression) throws IOException {
        for (int size : new int[] {0, 1, 1000, 1 << 17, 3_000_000}) {
            byte[] plain = sample(size);
            byte[] packed = compressed(compression, plain);
            assertThat(Compression.detect(packed)).isEqualTo(compression);
            assertThat(decompressed(packed)).isEqualTo(plain);
            assertThat(compressed(compression, plain)).isEqualTo(packed);
        }
    }

    @Test
    void othersReadOurGzip() throws IOException {
        byte[] plain = sample(200_000);
        try (InputStream in = new GZIPInputStream(new ByteArrayInputStream(compressed(Compression.GZIP, plain)))) {
            assertThat(in.readAllBytes()).isEqualTo(plain);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'', NONE",
        "1f, NONE",
        "1f8b, NONE",
        "1f8b08, GZIP",
        "1f8b07, NONE",
        "28b52ffd, ZSTD",
        "28b52f, NONE",
        "502a4d18, ZSTD",
        "5f2a4d18, ZSTD",
        "602a4d18, NONE",
        "425a68, NONE",
        "fd377a585a00, NONE",
    })
    void aStreamIsKnownByItsFirstBytes(String start, Compression compression) {
        assertThat(Compression.detect(HexFormat.of().parseHex(start))).isEqualTo(compression);
    }

    // Gzip

    @Test
    void allMembersAreRead() throws IOException {
        assertThat(decompressed(join(gzip("one "), gzip(""), gzip("two "), gzip("three"))))
                .isEqualTo(bytes("one two three"));
    }

    /** The JDK's stream ends at a member that begins where its buffer ends. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 26, 27, 1000})
    void membersAreReadWhereverTheInputIsCut(int piece) throws IOException {
        byte[] members = gzip("member\n");
        for (int i = 0; i < 7; i++) {
            members = join(members, members);
        }
        byte[] all = members;
        InputStream pieces = new InputStream() {
            private int at;

            @Override
            public int read() {
                return at < all.length ? all[at++] & 0xff : -1;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) {
                if (at == all.length) {
                    return -1;
                }
                int count = Math.min(Math.min(piece, length), all.length - at);
                System.arraycopy(all, at, buffer, offset, count);
                at += count;
                return count;
            }
        };
        try (InputStream plain = Compression.decompress(pieces)) {
            assertThat(plain.readAllBytes()).isEqualTo(bytes("member\n".repeat(128)));
        }
    }

    @Test
    void gzipHeadersMayHaveNamesCommentsAndExtraFields() throws IOException {
        byte[] plain = gzip("content");
        byte[] header = join(
                new byte[] {0x1f, (byte) 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3},
                new byte[] {3, 0, 'a', 'b', 'c'},
                bytes("name\0comment\0"));
        CRC32 crc = new CRC32();
        crc.update(header);
        byte[] sum = {(byte) crc.getValue(), (byte) (crc.getValue() >> 8)};
        byte[] body = Arrays.copyOfRange(plain, 10, plain.length);
        assertThat(decompressed(join(header, sum, body))).isEqualTo(bytes("content"));
        sum[0]++;
        assertRefused(join(header, sum, body), "checksum of its header");
    }

    @ParameterizedTest
    @ValueSource(strings = {"junk", "\0", "\u001f", "\u001f\u008b\u0008", "\0\0\0\0\0\0\0\0"})
    void whatIsBehindTheEndOfGzipIsRefused(String junk) throws IOException {
        assertRefused(join(gzip("content"), bytes(junk)), "gzip stream");
    }

    @Test
    void gzipThatIsCutAnywhereIsRefused() throws IOException {
        byte[] packed = gzip("some content that is compressed, compressed, compressed");
        for (int length = 3; length < packed.length; length++) {
            assertRefused(Arrays.copyOf(packed, length), "gzip stream ends in the middle");
        }
    }

    @Test
    void damageOfGzipIsFound() throws IOException {
        byte[] plain = sample(2000);
        byte[] packed = compressed(Compression.GZIP, plain);
        int without = 0;
        for (int at = 10; at < packed.length; at++) {
            byte[] damaged = packed.clone();
            damaged[at] ^= 0x10;
            try {
                assertThat(decompressed(damaged)).isEqualTo(plain);
                without++;
            } catch (CompressionException e) {
                assertThat(e).hasMessageContaining("gzip stream");
            }
        }
        assertThat(without).as("bits between blocks that mean nothing").isLessThan(8);
    }

    @ParameterizedTest
    @CsvSource({"3, 32, unknown flags", "3, 128, unknown flags"})
    void gzipOfAnotherKindIsRefused(int at, int value, String why) throws IOException {
        byte[] packed = gzip("content");
        packed[at] = (byte) value;
        assertRefused(packed, why);
    }

    // Zstd

    @Test
    void framesAreReadOneAfterAnotherAndSkippableOnesSkipped() throws IOException {
        byte[] skippable = ByteBuffer.allocate(8 + 5)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x184D2A53)
                .putInt(5)
                .put(bytes("extra"))
                .array();
        byte[] one = compressed(Compression.ZSTD, bytes("one "));
        byte[] two = compressed(Compression.ZSTD, bytes("two"));
        assertThat(decompressed(join(skippable, one, skippable, two, skippable)))
                .isEqualTo(bytes("one two"));
    }

    @Test
    void zstdThatIsCutAnywhereIsRefused() throws IOException {
        byte[] packed = compressed(Compression.ZSTD, sample(2000));
        for (int length = 4; length < packed.length; length += 7) {
            assertRefused(Arrays.copyOf(packed, length), "zstd stream");
        }
    }

    @Test
    void damageOfZstdIsFoundByItsChecksum() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZstdOutputStream out = new ZstdOutputStream(bytes)) {
            out.setChecksum(true);
            out.write(sample(2000));
        }
        byte[] packed = bytes.toByteArray();
        for (int at = 6; at < packed.length; at += 3) {
            byte[] damaged = packed.clone();
            damaged[at] ^= 0x10;
            assertRefused(damaged, "zstd stream");
        }
    }

    @Test
    void whatIsBehindTheEndOfZstdIsRefused() throws IOException {
        assertRefused(join(compressed(Compression.ZSTD, bytes("content")), bytes("some junk")), "zstd stream");
    }

    /** A frame of a few bytes may ask for gigabytes. */
    @Test
    void aZstdWindowOverTheLimitIsRefused() {
        byte[] frame = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, (byte) ((30 - 10) << 3), 1, 0, 0};
        assertRefused(frame, "zstd stream");
    }

    @Test
    void aZstdWindowOfTheLimitIsTaken() throws IOException {
        byte[] frame = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, (byte) ((27 - 10) << 3), 1, 0, 0};
        assertThat(decompressed(frame)).isEmpty();
    }

    @Test
    void closingClosesTheStreamBelow() throws IOException {
        for (Compression compression : Compression.values()) {
            boolean[] closed = {false};
            InputStream below = new ByteArrayInputStream(compressed(compression, bytes("content"))) {
                @Override
                public void close() {
                    closed[0] = true;
                }
            };
            Compression.decompress(below).close();
            assertThat(closed[0]).as("%s", compression).isTrue();
        }
    }

    /** Hundreds of megabytes of zeros in one: what it is read with does not grow. */
    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void aBombIsReadInPieces(Compression compression) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] zeros = new byte[1 << 20];
        long size = 300L << 20;
        try (OutputStream out = compression.compress(bytes)) {
            for (long at = 0; at < size; at += zeros.length) {
                out.write(zeros);
            }
        }
        assertThat(bytes.size()).isLessThan(1 << 20);
        try (InputStream plain = Compression.decompress(new ByteArrayInputStream(bytes.toByteArray()))) {
            assertThat(plain.transferTo(OutputStream.nullOutputStream())).isEqualTo(size);
        }
    }
}
