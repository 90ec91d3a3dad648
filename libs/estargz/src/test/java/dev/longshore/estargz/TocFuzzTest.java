package dev.longshore.estargz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;

/** With {@code JAZZER_FUZZ=1} in the environment it looks for tables that are neither taken nor refused; else it tries a few. */
final class TocFuzzTest {

    private static final TocLimits LIMITS = new TocLimits(1 << 16, 1 << 18, 1000, 2000, 1 << 16);
    private static final int PAYLOAD = 4000;

    /** What a table is made of; what is between may be anything. */
    private static final String[] PIECES = {
        "{\"version\":1,\"entries\":[",
        "]}",
        "},{",
        "{\"name\":\"a\",\"type\":\"",
        "\"name\":\"a/b\",",
        "\"type\":\"reg\"",
        "\"type\":\"chunk\"",
        "\"type\":\"dir\"",
        "\"type\":\"symlink\",\"linkName\":\"a\"",
        "\"type\":\"hardlink\",\"linkName\":\"a\"",
        "\"type\":\"char\",\"devMajor\":1,\"devMinor\":3",
        ",\"size\":",
        ",\"offset\":",
        ",\"innerOffset\":",
        ",\"chunkSize\":",
        ",\"chunkOffset\":",
        ",\"mode\":",
        ",\"uid\":",
        ",\"modtime\":\"2020-01-01T00:00:00Z\"",
        ",\"xattrs\":{\"user.a\":\"AAA=\"}",
        ",\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        ",\"chunkDigest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        "null",
        "9223372036854775808",
        "-1",
        "1e9"
    };

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aTableIsReadOrRefused(FuzzedDataProvider data) throws IOException {
        boolean gzip = data.consumeBoolean();
        StringBuilder json = new StringBuilder(data.consumeBoolean() ? "{\"version\":1,\"entries\":[{" : "");
        while (data.remainingBytes() > 0) {
            switch (data.consumeInt(0, 3)) {
                case 0 -> json.append(data.consumeString(10));
                case 1 -> json.append(data.consumeLong());
                default -> json.append(data.pickValue(PIECES));
            }
        }
        byte[] payload = new byte[PAYLOAD];
        BytesReader blob =
                gzip ? RawLayer.estargz(payload, json.toString()) : RawLayer.zstdChunked(payload, json.toString());
        Footer footer = Footer.read(blob).orElseThrow();
        int[] entries = {0};
        try {
            Toc toc = new TocReader(LIMITS).read(blob, footer, new TocVerification.Absent(), entry -> {
                entries[0]++;
                check(entry, footer.payloadEnd());
            });
            if (toc.entries() != entries[0]
                    || toc.jsonBytes() != json.toString().getBytes(StandardCharsets.UTF_8).length) {
                throw new IllegalStateException(toc + " was read as " + entries[0] + " entries");
            }
        } catch (LayerFormatException refused) {
            if (String.valueOf(refused.getMessage()).length() > 2000) {
                throw new IllegalStateException("a refusal that nobody can read", refused);
            }
        }
    }

    private static void check(TocEntry entry, long end) {
        if (entry.size() < 0
                || entry.mode() < 0
                || entry.mode() > 07777
                || entry.offset() < 0
                || entry.offset() > end
                || entry.innerOffset() < 0
                || entry.chunkOffset() < 0
                || entry.chunkSize() < 0) {
            throw new IllegalStateException("taken: " + entry);
        }
    }
}
