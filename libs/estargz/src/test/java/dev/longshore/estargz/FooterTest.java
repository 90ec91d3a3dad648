package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FooterTest {

    private static final String EMPTY = "{\"version\":1,\"entries\":[]}";

    @Test
    void eachKindOfFooterIsKnown() throws IOException {
        byte[] payload = new byte[100];
        assertThat(Footer.read(RawLayer.estargz(payload, EMPTY))).hasValueSatisfying(footer -> {
            assertThat(footer.format()).isEqualTo(LayerFormat.ESTARGZ);
            assertThat(footer.payloadEnd()).isEqualTo(100);
            assertThat(footer.tocOffset()).isEqualTo(100);
            assertThat(footer.tocLength()).isEqualTo(RawLayer.toc(EMPTY, Landmarks.TOC).length);
        });
        assertThat(Footer.read(RawLayer.stargz(payload, EMPTY)).map(Footer::format))
                .contains(LayerFormat.STARGZ);
        assertThat(Footer.read(RawLayer.zstdChunked(payload, EMPTY))).hasValueSatisfying(footer -> {
            assertThat(footer.format()).isEqualTo(LayerFormat.ZSTD_CHUNKED);
            assertThat(footer.payloadEnd()).isEqualTo(100);
            assertThat(footer.tocOffset()).isEqualTo(108);
        });
        BytesReader external = new BytesReader(RawLayer.join(payload, RawLayer.gzipFooter("STARGZEXTERNALTOC", true)));
        assertThat(Footer.read(external)).contains(new Footer(LayerFormat.EXTERNAL_TOC, 100, 146, 0));
    }

    @Test
    void theFooterWithTarSplitDataIsKnown() throws IOException {
        ByteBuffer numbers = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        numbers.putLong(108)
                .putLong(50)
                .putLong(500)
                .putLong(1)
                .putLong(170)
                .putLong(10)
                .putLong(20);
        numbers.put("GNUlInUx".getBytes(StandardCharsets.US_ASCII));
        byte[] blob = RawLayer.join(new byte[200], RawLayer.frame(numbers.array()));
        assertThat(Footer.read(new BytesReader(blob))).contains(new Footer(LayerFormat.ZSTD_CHUNKED, 100, 108, 50));
    }

    @Test
    void anOrdinaryLayerHasNone() throws IOException {
        assertThat(Footer.read(new BytesReader(new byte[0]))).isEmpty();
        assertThat(Footer.read(new BytesReader(new byte[1000]))).isEmpty();
        assertThat(Footer.read(new BytesReader(RawLayer.gzipFooter("0000000000000000STARGA", true))))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0000000000000065", "7fffffffffffffff", "00000000000000ff"})
    void anOffsetOutsideOfTheBlobIsRefused(String offset) {
        byte[] blob = RawLayer.join(new byte[101], RawLayer.gzipFooter(offset + "STARGZ", true));
        assertThatThrownBy(() -> Footer.read(new BytesReader(blob)))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("101 bytes before its footer");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ffffffffffffffff", "-000000000000001", "zzzzzzzzzzzzzzzz", "0x00000000000001"})
    void anOffsetThatIsNoneIsRefused(String offset) {
        byte[] blob = RawLayer.join(new byte[101], RawLayer.gzipFooter(offset + "STARGZ", true));
        assertThatThrownBy(() -> Footer.read(new BytesReader(blob))).isInstanceOf(LayerFormatException.class);
    }

    @Test
    void aTocOfZstdOutsideOfTheBlobIsRefused() {
        long[][] all = {{100, Long.MAX_VALUE}, {Long.MAX_VALUE, 1}, {-1, 10}, {8, 0}, {8, -5}, {7, 1}, {100, 100}};
        for (long[] one : all) {
            byte[] blob = RawLayer.join(new byte[100], RawLayer.frame(RawLayer.numbers(one[0], one[1], 1)));
            assertThatThrownBy(() -> Footer.read(new BytesReader(blob)))
                    .as("offset %d length %d", one[0], one[1])
                    .isInstanceOf(LayerFormatException.class);
        }
        byte[] unknown = RawLayer.join(new byte[100], RawLayer.frame(RawLayer.numbers(8, 10, 2)));
        assertThatThrownBy(() -> Footer.read(new BytesReader(unknown))).hasMessageContaining("of type 2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"1:2:3", "a:2:3:1", "8:10:3:1:", "8:999999:3:1", "99999999999999999999:1:1:1"})
    void aPositionThatCannotBeIsRefused(String position) {
        assertThatThrownBy(() -> Footer.of(Map.of(Annotations.ZSTD_POSITION, position), 1000))
                .isInstanceOf(LayerFormatException.class);
    }
}
