package dev.longshore.estargz;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;

/** With {@code JAZZER_FUZZ=1} in the environment it looks for footers that point out of their blob; else it tries a few. */
final class FooterFuzzTest {

    /** Nearly all ends of random bytes are none: it begins with one that is, and changes some of it. */
    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aFooterIsReadOrRefused(FuzzedDataProvider data) throws IOException {
        long size = data.consumeLong(0, Long.MAX_VALUE);
        byte[] tail = tail(data);
        while (tail.length > 0 && data.remainingBytes() > 0) {
            tail[data.consumeInt(0, tail.length - 1)] = data.consumeByte();
        }
        Optional<Footer> found;
        try {
            found = Footer.parse(tail, Math.max(size, tail.length));
        } catch (LayerFormatException refused) {
            return;
        }
        if (found.isPresent()) {
            Footer footer = found.get();
            long end = Math.max(size, tail.length);
            if (footer.payloadEnd() < 0
                    || footer.tocOffset() < footer.payloadEnd()
                    || footer.tocLength() < 0
                    || footer.tocLength() > end - footer.tocOffset()) {
                throw new IllegalStateException(footer + " in a blob of " + end);
            }
        }
    }

    private static byte[] tail(FuzzedDataProvider data) {
        String digits = data.consumeBoolean()
                ? "%016x".formatted(data.consumeLong())
                : new String(data.consumeBytes(16), StandardCharsets.ISO_8859_1);
        return switch (data.consumeInt(0, 4)) {
            case 0 -> RawLayer.gzipFooter(digits + "STARGZ", true);
            case 1 -> RawLayer.gzipFooter(digits + "STARGZ", false);
            case 2 -> RawLayer.gzipFooter("STARGZEXTERNALTOC", true);
            case 3 ->
                RawLayer.join(
                        data.consumeBytes(24),
                        RawLayer.frame(RawLayer.numbers(
                                data.consumeLong(),
                                data.consumeLong(),
                                data.consumeBoolean() ? 1 : data.consumeInt())));
            default -> data.consumeBytes(100);
        };
    }
}
