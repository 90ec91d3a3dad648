package dev.longshore.cli.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AmountsTest {

    @ParameterizedTest
    @CsvSource({"0,0 B", "1023,1023 B", "1024,1.0 KiB", "1572864,1.5 MiB", "5497558138880,5.0 TiB"})
    void sizesAreWrittenWithOneDigit(long bytes, String text) {
        assertThat(Amounts.size(bytes)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"4096,4096", "64m,67108864", "64MiB,67108864", "64MB,67108864", "2g,2147483648", "1k,1024"})
    void sizesAreRead(String text, long bytes) {
        assertThat(Amounts.parseSize(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "m", "-1", "1.5g", "64 apples", "99999999999999999999", "999999999999999t"})
    void whatIsNoSizeIsRefused(String text) {
        assertThatThrownBy(() -> Amounts.parseSize(text)).isInstanceOf(InvalidArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource({"0,0 seconds", "1,1 second", "61,1 minute", "7200,2 hours", "172800,2 days", "-5,0 seconds"})
    void agesHaveOneUnit(long seconds, String text) {
        assertThat(Amounts.age(Duration.ofSeconds(seconds))).isEqualTo(text);
    }

    @Test
    void progressSaysNothingBeforeASecondHasPassed() {
        var bytes = new ByteArrayOutputStream();
        try (Progress progress = new Progress(new PrintStream(bytes, false, StandardCharsets.UTF_8), true)) {
            progress.step("a step");
            progress.at(1, 2);
        }
        assertThat(bytes.toByteArray()).isEmpty();
    }
}
