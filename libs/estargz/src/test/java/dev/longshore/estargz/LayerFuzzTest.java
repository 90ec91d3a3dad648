package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.compress.Compression;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Damages good layers, the same way each time, and reads them: there is an answer or a {@link LayerFormatException}. */
final class LayerFuzzTest {

    private static final int ROUNDS = Integer.getInteger("fuzz.rounds", 4_000);

    private static final TocLimits LIMITS = new TocLimits(1 << 16, 1 << 18, 1000, 2000, 1 << 16);

    private static final List<String> LAYERS =
            List.of("estargz.tar.gz", "prefetch.tar.gz", "stargz-zstd-chunked.tar.zst", "skopeo-zstd-chunked.tar.zst");

    @Test
    @Timeout(300)
    void damagedFootersAreReadOrRefused() {
        Random random = new Random(20_260_101);
        int refused = 0;
        List<BytesReader> layers = LAYERS.stream().map(BytesReader::golden).toList();
        for (int round = 0; round < ROUNDS; round++) {
            byte[] blob = layers.get(random.nextInt(layers.size())).bytes().clone();
            damage(blob, blob.length - Footer.MAX_BYTES, random);
            byte[] cut = Arrays.copyOf(blob, random.nextInt(8) == 0 ? random.nextInt(blob.length) : blob.length);
            try {
                Footer.read(new BytesReader(cut)).ifPresent(footer -> {
                    assertThat(footer.payloadEnd()).isBetween(0L, (long) cut.length);
                    assertThat(footer.tocOffset()).isBetween(footer.payloadEnd(), (long) cut.length);
                    assertThat(footer.tocLength()).isBetween(0L, cut.length - footer.tocOffset());
                });
            } catch (LayerFormatException e) {
                refused++;
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError("round " + round, e);
            }
        }
        assertThat(refused).isGreaterThan(ROUNDS / 100);
    }

    @Test
    @Timeout(300)
    void damagedTocsAreReadOrRefused() throws IOException {
        Random random = new Random(20_260_102);
        List<byte[]> documents = new ArrayList<>();
        for (String name : LAYERS) {
            documents.add(json(BytesReader.golden(name)));
        }
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] json = documents.get(random.nextInt(documents.size())).clone();
            damage(json, 0, random);
            String text = new String(
                    json,
                    0,
                    random.nextInt(16) == 0 ? random.nextInt(json.length) : json.length,
                    StandardCharsets.ISO_8859_1);
            BytesReader blob = random.nextBoolean()
                    ? RawLayer.estargz(new byte[4000], text)
                    : RawLayer.zstdChunked(new byte[4000], text);
            try {
                Footer footer = Footer.read(blob).orElseThrow();
                new TocReader(LIMITS)
                        .read(blob, footer, new TocVerification.Absent(), entry -> check(entry, footer.payloadEnd()));
            } catch (LayerFormatException e) {
                assertThat(e.getMessage()).hasSizeLessThan(2000);
                refused++;
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError("round " + round, e);
            }
        }
        assertThat(refused).as("of both kinds there are many").isBetween(ROUNDS / 10, ROUNDS * 9 / 10);
    }

    private static void check(TocEntry entry, long end) {
        assertThat(entry.size()).isNotNegative();
        assertThat(entry.mode()).isBetween(0, 07777);
        assertThat(entry.offset()).isBetween(0L, end);
        assertThat(entry.innerOffset()).isNotNegative();
        assertThat(entry.chunkOffset()).isNotNegative();
        assertThat(entry.chunkSize()).isNotNegative();
    }

    @Test
    @Timeout(300)
    void damagedStreamsAreReadOrRefused() throws IOException {
        Random random = new Random(20_260_103);
        int refused = 0;
        List<ReadLayer> layers = new ArrayList<>();
        for (String name : LAYERS) {
            layers.add(ReadLayer.of(BytesReader.golden(name), Map.of()));
        }
        for (int round = 0; round < ROUNDS; round++) {
            ReadLayer layer = layers.get(random.nextInt(layers.size()));
            int offset = (int) layer.entry("bin/tool").offset();
            byte[] stream = Arrays.copyOfRange(
                    layer.blob().bytes(), offset, (int) layer.footer().payloadEnd());
            damage(stream, 0, random);
            try {
                RawLayer.decode(
                        layer.footer().format().compression(),
                        Arrays.copyOf(stream, random.nextInt(stream.length + 1)),
                        random.nextInt(1000),
                        new byte[random.nextInt(2000)]);
            } catch (LayerFormatException e) {
                refused++;
            } catch (RuntimeException e) {
                throw new AssertionError("round " + round, e);
            }
        }
        assertThat(refused).isBetween(ROUNDS / 20, ROUNDS - ROUNDS / 20);
    }

    private static byte[] json(BytesReader blob) throws IOException {
        Footer footer = Footer.read(blob).orElseThrow();
        byte[] compressed = Arrays.copyOfRange(
                blob.bytes(), (int) footer.tocOffset(), (int) (footer.tocOffset() + footer.tocLength()));
        byte[] bytes;
        try (var in = footer.format().compression().expand(new ByteArrayInputStream(compressed))) {
            bytes = in.readAllBytes();
        }
        if (footer.format().compression() == Compression.ZSTD) {
            return bytes;
        }
        int size = Integer.parseInt(new String(bytes, 124, 11, StandardCharsets.US_ASCII), 8);
        return Arrays.copyOfRange(bytes, 512, 512 + size);
    }

    private static void damage(byte[] bytes, int from, Random random) {
        for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
            int at = from + random.nextInt(bytes.length - from);
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] = (byte) random.nextInt(256);
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> bytes[at] = (byte) "0123456789-{}[]\":,\\ aetf.".charAt(random.nextInt(25));
                default -> {
                    int source = from + random.nextInt(bytes.length - from);
                    int length = Math.min(random.nextInt(100), bytes.length - Math.max(source, at));
                    System.arraycopy(bytes, source, bytes, at, length);
                }
            }
        }
    }
}
