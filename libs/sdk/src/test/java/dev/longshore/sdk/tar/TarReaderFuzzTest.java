package dev.longshore.sdk.tar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.tar.RawTar.Header;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Damages good archives, the same way each time, and reads them: there is an answer or a {@link TarFormatException}. */
final class TarReaderFuzzTest {

    private static final int ROUNDS = 60_000;

    private static final TarLimits LIMITS = new TarLimits(100, 1000, 8192, 50);

    private static List<byte[]> seeds() throws IOException {
        return List.of(written(), gnu(), pax(), sparse());
    }

    private static byte[] written() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter writer = new TarWriter(bytes)) {
            writer.write(TarEntry.builder(EntryType.DIRECTORY, "d/").build());
            writer.write(TarEntry.builder(EntryType.FILE, "d/" + "n".repeat(200))
                    .size(700)
                    .modified(Instant.ofEpochSecond(-5, 6))
                    .xattr("user.a", "\0\u00ff")
                    .build());
            writer.content(new byte[700], 0, 700);
            writer.endContent(700);
            writer.write(
                    TarEntry.builder(EntryType.HARD_LINK, "h").linkName("d").build());
            writer.write(
                    TarEntry.builder(EntryType.BLOCK_DEVICE, "b").device(1, 2).build());
        }
        return bytes.toByteArray();
    }

    private static byte[] gnu() {
        return new RawTar()
                .member(new Header('L', "././@LongLink").bytes(HeaderBlock.MAGIC, RawTar.GNU), "n".repeat(300) + "\0")
                .member(new Header('K', "././@LongLink").bytes(HeaderBlock.MAGIC, RawTar.GNU), "l".repeat(300) + "\0")
                .header(new Header('2', "s").bytes(HeaderBlock.MAGIC, RawTar.GNU))
                .file("next", "content")
                .end()
                .bytes();
    }

    private static byte[] pax() {
        return new RawTar()
                .extended('g', "uid", "5", "comment", "c")
                .pax("path", "p", "size", "5", "mtime", "1.5", "LIBARCHIVE.xattr.user.a%20", "AAAA", "atime", "-1")
                .file("f", "12345")
                .end()
                .bytes();
    }

    private static byte[] sparse() {
        return new RawTar()
                .pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "100")
                .file("one", "2\n0\n3\n50\n4\n" + "\0".repeat(512 - 11) + "abcdefg")
                .pax("GNU.sparse.size", "100", "GNU.sparse.map", "0,3,50,4")
                .file("map", "abcdefg")
                .header(new Header('S', "old")
                        .bytes(HeaderBlock.MAGIC, RawTar.GNU)
                        .text(386, "%011o\0%011o\0".formatted(5, 3))
                        .text(482, "\u0001")
                        .text(483, "%011o".formatted(100))
                        .size(3))
                .data(new byte[512])
                .data("abc".getBytes(StandardCharsets.ISO_8859_1))
                .end()
                .bytes();
    }

    @Test
    @Timeout(120)
    void damagedArchivesAreReadOrRefused() throws IOException {
        Random random = new Random(20_250_101);
        List<byte[]> seeds = seeds();
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] archive = seeds.get(random.nextInt(seeds.size())).clone();
            damage(archive, random);
            if (random.nextInt(8) != 0) {
                sumHeaders(archive);
            }
            int length = random.nextInt(4) == 0 ? random.nextInt(archive.length) : archive.length;
            try {
                readAll(new TarReader(
                        new ByteArrayInputStream(archive, 0, length),
                        LIMITS,
                        random.nextBoolean() ? GlobalHeaders.APPLY : GlobalHeaders.IGNORE));
            } catch (TarFormatException e) {
                assertThat(e).hasMessageMatching("(?s)tar archive at byte \\d+: .+");
                refused++;
            } catch (RuntimeException | IOException | AssertionError e) {
                throw new AssertionError("round " + round, e);
            }
        }
        assertThat(refused).as("of both kinds there are many").isBetween(ROUNDS / 10, ROUNDS * 9 / 10);
    }

    private static void readAll(TarReader reader) throws IOException {
        byte[] buffer = new byte[777];
        for (Optional<TarEntry> entry = reader.next(); entry.isPresent(); entry = reader.next()) {
            assertThat(entry.get().name().length()).isLessThanOrEqualTo(LIMITS.nameBytes());
            assertThat(reader.segments()).hasSizeLessThanOrEqualTo(LIMITS.segments());
            long stored = 0;
            for (int count = reader.read(buffer, 0, buffer.length);
                    count >= 0;
                    count = reader.read(buffer, 0, buffer.length)) {
                stored += count;
            }
            assertThat(stored)
                    .isEqualTo(reader.segments().stream()
                            .mapToLong(Segment::length)
                            .sum());
        }
    }

    private static void damage(byte[] archive, Random random) {
        for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
            int at = random.nextInt(archive.length);
            switch (random.nextInt(5)) {
                case 0 -> archive[at] = (byte) random.nextInt(256);
                case 1 -> archive[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> archive[at] = (byte) "0123456789=,\n ./%-LKSxg".charAt(random.nextInt(23));
                case 3 -> archive[(at & ~511) | HeaderBlock.TYPE] = (byte) "0123456SLKxg7\0".charAt(random.nextInt(14));
                default -> {
                    int from = random.nextInt(archive.length);
                    int length = Math.min(random.nextInt(600), archive.length - Math.max(from, at));
                    System.arraycopy(archive, from, archive, at, length);
                }
            }
        }
    }

    /** Puts right the checksum of what looks like a header, or every damage would end there. */
    private static void sumHeaders(byte[] archive) {
        for (int start = 0; start + 512 <= archive.length; start += 512) {
            if (archive[start + HeaderBlock.MAGIC] != 'u') {
                continue;
            }
            int sum = 0;
            for (int i = 0; i < 512; i++) {
                boolean own = i >= HeaderBlock.CHECKSUM && i < HeaderBlock.CHECKSUM + 8;
                sum += own ? ' ' : archive[start + i] & 0xff;
            }
            byte[] text = "%06o\0 ".formatted(sum).getBytes(StandardCharsets.ISO_8859_1);
            System.arraycopy(text, 0, archive, start + HeaderBlock.CHECKSUM, 8);
        }
    }
}
