package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TocReaderTest {

    private static final byte[] PAYLOAD =
            RawLayer.compress(Compression.GZIP, "hello world".getBytes(StandardCharsets.US_ASCII));

    private static String toc(String entries) {
        return "{\"version\":1,\"entries\":[" + entries + "]}";
    }

    private static ReadLayer read(String entries) throws IOException {
        return ReadLayer.of(RawLayer.estargz(PAYLOAD, toc(entries)), Map.of());
    }

    @Test
    void plainStargzHasNoDigestsAndIsRead() throws IOException {
        ReadLayer layer = ReadLayer.of(
                RawLayer.stargz(PAYLOAD, toc("{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"innerOffset\":6}")),
                Map.of());
        assertThat(layer.entry("a").bytesDigest()).isEmpty();
        assertThat(new String(layer.content("a"), StandardCharsets.US_ASCII)).isEqualTo("world");
    }

    @Test
    void aFileOfOneChunkIsVerifiedWithItsOwnDigest() throws IOException {
        Digest digest = Digest.sha256("hello".getBytes(StandardCharsets.US_ASCII));
        ReadLayer layer = read("{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"digest\":\"%s\"}".formatted(digest));
        assertThat(layer.entry("a").bytesDigest()).contains(digest);
        ReadLayer two =
                read("{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkSize\":4,\"digest\":\"%s\"},".formatted(digest)
                        + "{\"name\":\"a\",\"type\":\"chunk\",\"chunkOffset\":4}");
        assertThat(two.entry("a").bytesDigest()).isEmpty();
    }

    @Test
    void whatIsNotKnownIsPassedOver() throws IOException {
        ReadLayer layer =
                read("{\"name\":\"a\",\"type\":\"dir\",\"future\":{\"x\":[1,{}]},\"xattrs\":null,\"mode\":16877,"
                        + "\"modtime\":\"no time\"}");
        assertThat(layer.entry("a").mode()).isEqualTo(0755);
        assertThat(layer.entry("a").xattrs()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"name\":\"a\"}",
                "{\"name\":\"a\",\"type\":\"dir\",\"name\":\"b\"}",
                "{\"name\":\"a\",\"type\":\"dir\",\"mode\":1,\"mode\":2}",
                "{\"name\":\"a\",\"type\":\"dir\",\"xattrs\":{\"user.a\":\"\",\"user.a\":\"\"}}",
                "],\"entries\":[",
                "{\"name\":\"a\",\"type\":\"door\"}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":-1}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":1.5}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":99999999999999999999}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"offset\":1000}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"offset\":-1}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"innerOffset\":-1}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"innerOffset\":1073741825}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkSize\":4}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkSize\":6}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkOffset\":1}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":300000000}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"digest\":\"sha256:12\"}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkDigest\":\"md5:12\"}",
                "{\"name\":\"a\",\"type\":\"chunk\",\"chunkSize\":4}",
                "{\"name\":\"a\",\"type\":\"dir\"},{\"name\":\"a\",\"type\":\"chunk\",\"chunkSize\":4}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkSize\":4},{\"name\":\"a\",\"type\":\"chunk\",\"chunkOffset\":3}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5,\"chunkSize\":4},{\"name\":\"a\",\"type\":\"chunk\",\"chunkOffset\":5}",
                "{\"name\":\"a\",\"type\":\"reg\",\"size\":5},{\"name\":\"a\",\"type\":\"chunk\",\"chunkOffset\":5}",
                "{\"name\":\"a\",\"type\":\"dir\",\"uid\":4294967296}",
                "{\"name\":\"a\",\"type\":\"dir\",\"uid\":-1}",
                "{\"name\":\"a\",\"type\":\"char\",\"devMajor\":-1}",
                "{\"name\":\"a\",\"type\":\"dir\",\"xattrs\":{\"user.a\":\"?\"}}",
                "{\"name\":\"a\",\"name\":\"b\",\"type\":\"dir\"}",
                "[]",
                "1"
            })
    void anEntryThatCannotBeIsRefused(String entry) {
        assertThatThrownBy(() -> read(entry)).isInstanceOf(LayerFormatException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "{\"version\":1,\"entries\":[]",
                "{\"version\":1,\"entries\":[]}{}",
                "{\"version\":2,\"entries\":[]}",
                "{\"entries\":[]}",
                "{\"version\":1,\"entries\":{}}"
            })
    void aDocumentThatIsNoTocIsRefused(String json) {
        assertThatThrownBy(() -> ReadLayer.of(RawLayer.estargz(PAYLOAD, json), Map.of()))
                .isInstanceOf(LayerFormatException.class);
        assertThatThrownBy(() -> ReadLayer.of(RawLayer.zstdChunked(PAYLOAD, json), Map.of()))
                .isInstanceOf(LayerFormatException.class);
    }

    @Test
    void deepNestingIsRefused() {
        String deep = "[".repeat(5000) + "]".repeat(5000);
        assertThatThrownBy(() -> read("{\"name\":\"a\",\"type\":\"dir\",\"future\":" + deep + "}"))
                .isInstanceOf(LayerFormatException.class);
    }

    @Test
    void aFileThatIsNoTocIsRefused() {
        byte[] other = RawLayer.join(
                PAYLOAD,
                RawLayer.toc(toc(""), "other.json"),
                RawLayer.gzipFooter("%016xSTARGZ".formatted(PAYLOAD.length), true));
        assertThatThrownBy(() -> ReadLayer.of(new BytesReader(other), Map.of()))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("no stargz.index.json but \"other.json\"");
    }

    @Test
    void aFooterThatPointsIntoAStreamIsRefused() {
        byte[] other = RawLayer.join(
                PAYLOAD, RawLayer.toc(toc(""), Landmarks.TOC), RawLayer.gzipFooter("%016xSTARGZ".formatted(3), true));
        assertThatThrownBy(() -> ReadLayer.of(new BytesReader(other), Map.of()))
                .isInstanceOf(LayerFormatException.class);
    }

    private static Toc readWith(TocLimits limits, BytesReader blob) throws IOException {
        return new TocReader(limits).read(blob, Footer.read(blob).orElseThrow(), new TocVerification.Absent(), _ -> {});
    }

    @Test
    void tooManyEntriesAreRefusedBeforeTheyAreTaken() throws IOException {
        String entry = "{\"name\":\"a\",\"type\":\"dir\"}";
        TocLimits limits = new TocLimits(1 << 20, 1 << 20, 3, 1000, 1000);
        assertThat(readWith(limits, RawLayer.estargz(PAYLOAD, toc(entry + "," + entry + "," + entry)))
                        .entries())
                .isEqualTo(3);
        BytesReader four = RawLayer.estargz(PAYLOAD, toc(entry + "," + entry + "," + entry + "," + entry));
        List<TocEntry> taken = new ArrayList<>();
        assertThatThrownBy(() -> new TocReader(limits)
                        .read(four, Footer.read(four).orElseThrow(), new TocVerification.Absent(), taken::add))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("more than 3 entries");
        assertThat(taken).hasSize(3);
    }

    @Test
    void aBombIsRefusedAtItsLimit() {
        String bomb = toc("{\"name\":\"a\",\"type\":\"dir\"" + " ".repeat(50 << 20) + "}");
        TocLimits limits = new TocLimits(1 << 20, 1 << 20, 1000, 1000, 1000);
        assertThatThrownBy(() -> readWith(limits, RawLayer.estargz(PAYLOAD, bomb)))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("more than 1048576 bytes uncompressed");
        assertThatThrownBy(() -> readWith(limits, RawLayer.zstdChunked(PAYLOAD, bomb)))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("more than 1048576 bytes uncompressed");
    }

    @Test
    void aLongTextIsRefusedBeforeItIsTaken() {
        String entry = "{\"name\":\"%s\",\"type\":\"dir\"}".formatted("a".repeat(2000));
        TocLimits limits = new TocLimits(1 << 20, 1 << 20, 1000, 1000, 1000);
        assertThatThrownBy(() -> readWith(limits, RawLayer.estargz(PAYLOAD, toc(entry))))
                .isInstanceOf(LayerFormatException.class);
    }

    /** The range is not asked for, so that no memory is taken for it. */
    @Test
    void aBigCompressedTocIsRefusedUnread() {
        Footer footer = new Footer(LayerFormat.ESTARGZ, 10, 10, 1L << 40);
        assertThatThrownBy(() -> new TocReader(TocLimits.DEFAULT)
                        .read(new BytesReader(new byte[100]), footer, new TocVerification.Absent(), _ -> {}))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("the limit is 134217728");
    }

    @Test
    void anExternalTocIsReadFromItsOwnBlob() throws IOException {
        BytesReader layer = new BytesReader(RawLayer.join(PAYLOAD, RawLayer.gzipFooter("STARGZEXTERNALTOC", true)));
        Footer footer = Footer.read(layer).orElseThrow();
        TocReader reader = new TocReader(TocLimits.DEFAULT);
        assertThatThrownBy(() -> reader.read(layer, footer, new TocVerification.Absent(), _ -> {}))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("an image of its own");
        String json = toc("{\"name\":\"a\",\"type\":\"reg\",\"size\":5}");
        List<TocEntry> entries = new ArrayList<>();
        Toc toc = reader.readExternal(
                new BytesReader(RawLayer.toc(json, Landmarks.TOC)),
                footer,
                new TocVerification.Uncompressed(Digest.sha256(json.getBytes(StandardCharsets.UTF_8))),
                entries::add);
        assertThat(toc.entries()).isEqualTo(1);
        assertThat(entries).singleElement().extracting(TocEntry::name).isEqualTo("a");
    }
}
