package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.digest.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What other programs made; where it came from is told beside the layers. */
class GoldenLayersTest {

    private static Map<String, String> toc(String digest) {
        return Map.of(Annotations.TOC_DIGEST, "sha256:" + digest);
    }

    @ParameterizedTest
    @CsvSource({
        "estargz.tar.gz, 8182082140d6749bcb50177c7489e109d7206db3e2bd670980e6aceccc7dbeeb, ESTARGZ",
        "prefetch.tar.gz, 96256c9f905a2ee11fa0ae001ab0262c6a49b6898ed2b030a124df3e64d61601, ESTARGZ",
        "stargz-zstd-chunked.tar.zst, 52a48140468dba806682aa9252a0f6827df4e523748f217b272549c0e7989043, ZSTD_CHUNKED"
    })
    void layersOfTheStargzSnapshotterAreRead(String name, String digest, LayerFormat format) throws IOException {
        ReadLayer layer = ReadLayer.of(BytesReader.golden(name), toc(digest));
        assertThat(layer.footer().format()).isEqualTo(format);
        assertThat(layer.toc().digest()).isEqualTo(Digest.parse("sha256:" + digest));
        checkContent(layer);
    }

    @Test
    void layersOfSkopeoAreRead() throws IOException {
        BytesReader blob = BytesReader.golden("skopeo-zstd-chunked.tar.zst");
        Map<String, String> annotations = Map.of(
                Annotations.STARGZ_ZSTD_CHECKSUM,
                "sha256:2977950d350626f8d775d83860cf81b9a269a8e19fd95fe2223e119cd24bc1b5",
                Annotations.STARGZ_ZSTD_POSITION,
                "3452:675:2651:1");
        ReadLayer layer = ReadLayer.of(blob, annotations);
        assertThat(Footer.of(annotations, blob.size())).contains(layer.footer());
        checkContent(layer);
    }

    private static void checkContent(ReadLayer layer) throws IOException {
        TocEntry tool = layer.entry("bin/tool");
        assertThat(tool.size()).isEqualTo(2560);
        assertThat(tool.mode()).isEqualTo(04755);
        assertThat(tool.modTime()).isEqualTo(Instant.ofEpochSecond(1_700_000_000));
        assertThat(layer.content("bin/tool")).isEqualTo(tool());
        assertThat(layer.entry("bin/again")).satisfies(link -> {
            assertThat(link.type()).isEqualTo(EntryType.HARDLINK);
            assertThat(link.linkName()).isEqualTo("bin/tool");
        });
        assertThat(layer.entry("bin/sh").linkName()).isEqualTo("tool");
        assertThat(layer.entry("dev/disk")).satisfies(disk -> {
            assertThat(disk.type()).isEqualTo(EntryType.BLOCK);
            assertThat(disk.devMajor()).isEqualTo(259);
            assertThat(disk.devMinor()).isEqualTo(70_000);
        });
        assertThat(layer.entry("run/pipe").type()).isEqualTo(EntryType.FIFO);
        assertThat(layer.entry("tmp/").mode()).isEqualTo(01777);
        assertThat(layer.content("etc/empty")).isEmpty();
        assertThat(layer.content("etc/.wh.gone")).isEmpty();
        assertThat(layer.entry("etc/attr")).satisfies(attr -> {
            assertThat(Integer.toUnsignedLong(attr.gid())).isEqualTo(3_000_000_000L);
            assertThat(attr.xattrs().get("user.binary")).isEqualTo("aÿb".getBytes(StandardCharsets.UTF_8));
        });
        assertThat(layer.entry("etc/grüße.txt").modTime()).isEqualTo(Instant.EPOCH);
        assertThat(new String(layer.content("etc/grüße.txt"), StandardCharsets.UTF_8))
                .isEqualTo("grüße\ngrüße\ngrüße\n");
        assertThat(layer.content("tmp/exact")).hasSize(1024).containsOnly('x');
    }

    private static byte[] tool() {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (int i = 0; i < 80; i++) {
            byte[] number = Integer.toString(i).getBytes(StandardCharsets.US_ASCII);
            content.writeBytes(
                    java.util.HexFormat.of().parseHex(Digest.sha256(number).hex()));
        }
        return content.toByteArray();
    }

    @Test
    void thePrefetchedPartEndsAtTheLandmark() throws IOException {
        ReadLayer layer = ReadLayer.of(BytesReader.golden("prefetch.tar.gz"), Map.of());
        long landmark = layer.entry(Landmarks.PREFETCH).offset();
        assertThat(layer.entry("bin/tool").offset()).isLessThan(landmark);
        assertThat(layer.entry("tmp/exact").offset()).isGreaterThan(landmark);
    }

    @ParameterizedTest
    @CsvSource({"estargz.tar.gz", "stargz-zstd-chunked.tar.zst"})
    void anotherTocThanTheImageNamesIsRefused(String name) {
        assertThatThrownBy(() -> ReadLayer.of(BytesReader.golden(name), toc("0".repeat(64))))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("not the one that the image names");
        assertThatThrownBy(() -> ReadLayer.of(
                        BytesReader.golden(name), Map.of(Annotations.ZSTD_CHECKSUM, "sha256:" + "0".repeat(64))))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("not the one that the image names");
    }

    @ParameterizedTest
    @CsvSource({"estargz.tar.gz", "stargz-zstd-chunked.tar.zst", "skopeo-zstd-chunked.tar.zst"})
    void noByteOfATocCanBeChangedUnnoticed(String name) throws IOException {
        ReadLayer whole = ReadLayer.of(BytesReader.golden(name), Map.of());
        Map<String, String> annotations =
                Map.of(Annotations.TOC_DIGEST, whole.toc().digest().toString());
        Footer footer = whole.footer();
        for (long at = footer.tocOffset(); at < footer.tocOffset() + footer.tocLength(); at++) {
            byte[] bytes = whole.blob().bytes().clone();
            bytes[(int) at] ^= 0x10;
            ReadLayer changed;
            try {
                changed = ReadLayer.of(new BytesReader(bytes), annotations);
            } catch (LayerFormatException expected) {
                continue;
            }
            // Headers and trailers of the compression say nothing that is used.
            assertThat(changed.entries()).hasSameSizeAs(whole.entries());
            assertThat(changed.toc().digest()).isEqualTo(whole.toc().digest());
        }
    }
}
