package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.registry.MultipartRanges.Part;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

final class MultipartRangesProperties {

    static final int SIZE = 20_000;

    @Provide
    Arbitrary<String> boundaries() {
        return Arbitraries.strings()
                .withChars("0123456789abcdefXYZ'+_.-")
                .ofMinLength(1)
                .ofMaxLength(70);
    }

    /** Bytes of which many look like a boundary's. */
    private static byte[] blob(long seed, String boundary) {
        byte[] blob = new byte[SIZE];
        byte[] delimiter = ("\r\n--" + boundary + "\r\n").getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < SIZE; i++) {
            blob[i] = delimiter[(int) ((i + seed) % delimiter.length)];
        }
        return blob;
    }

    private static byte[] body(byte[] blob, List<ByteRange> ranges, String boundary) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (ByteRange range : ranges) {
            out.writeBytes("\r\n--%s\r\nContent-Type: x/y\r\nContent-Range: bytes %s/%d\r\n\r\n"
                    .formatted(boundary, range, SIZE)
                    .getBytes(StandardCharsets.ISO_8859_1));
            out.write(blob, (int) range.begin(), (int) range.size());
        }
        out.writeBytes("\r\n--%s--\r\n".formatted(boundary).getBytes(StandardCharsets.ISO_8859_1));
        return out.toByteArray();
    }

    private static List<ByteRange> ranges(List<Integer> cuts) {
        List<Integer> sorted = cuts.stream().distinct().sorted().toList();
        List<ByteRange> ranges = new ArrayList<>();
        for (int i = 0; i + 1 < sorted.size(); i += 2) {
            ranges.add(new ByteRange(sorted.get(i), sorted.get(i + 1)));
        }
        return ranges;
    }

    /** Gives few bytes at a time. */
    private static InputStream trickling(byte[] bytes, int most) {
        return new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] to, int offset, int length) {
                return super.read(to, offset, Math.min(length, most));
            }
        };
    }

    @Property(tries = 300)
    void whatWasWrittenIsRead(
            @ForAll("boundaries") String boundary,
            @ForAll @Size(max = 24) List<@IntRange(max = SIZE) Integer> cuts,
            @ForAll @IntRange(min = 1, max = 5000) int most,
            @ForAll @IntRange(max = 100) int seed)
            throws IOException {
        byte[] blob = blob(seed, boundary);
        List<ByteRange> ranges = ranges(cuts);
        MultipartRanges parts = MultipartRanges.of(
                trickling(body(blob, ranges, boundary), most),
                "multipart/byteranges; boundary=\"" + boundary + "\"",
                SIZE);
        List<ByteRange> read = new ArrayList<>();
        for (Optional<Part> part = parts.next(); part.isPresent(); part = parts.next()) {
            ByteRange range = part.get().range();
            read.add(range);
            assertThat(part.get().in().readAllBytes())
                    .isEqualTo(Arrays.copyOfRange(blob, (int) range.begin(), (int) range.end()));
        }
        assertThat(read).isEqualTo(ranges);
    }

    @Property(tries = 1000)
    void damagedBodiesGivePartsOfTheWholeOrFail(
            @ForAll @Size(min = 2, max = 10) List<@IntRange(max = 2000) Integer> cuts,
            @ForAll @Size(min = 1, max = 8) List<@IntRange(max = 3000) Integer> places,
            @ForAll byte with,
            @ForAll @IntRange(max = 3000) int length) {
        byte[] body = body(blob(0, "b"), ranges(cuts), "b");
        for (int place : places) {
            body[place % body.length] = with;
        }
        try {
            MultipartRanges parts = MultipartRanges.of(
                    new ByteArrayInputStream(body, 0, Math.min(length, body.length)),
                    "multipart/byteranges; boundary=b",
                    SIZE);
            for (Optional<Part> part = parts.next(); part.isPresent(); part = parts.next()) {
                assertThat(part.get().range().end()).isLessThanOrEqualTo(SIZE);
                assertThat(part.get().in().readAllBytes())
                        .hasSize((int) part.get().range().size());
            }
        } catch (IOException e) {
            // As it should.
            assertThat(e).hasMessageNotContaining("null");
        }
    }
}
