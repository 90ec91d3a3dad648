package dev.longshore.sdk.label;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LabelsTest {

    @Test
    void keyAndValueTogetherMayHave4096Bytes() {
        Map<String, String> most = Map.of("k".repeat(96), "v".repeat(4000));
        assertThat(Labels.check(most)).isEqualTo(most);
    }

    @Test
    void oneByteMoreIsInvalid() {
        assertThatThrownBy(() -> Labels.check(Map.of("k".repeat(96), "v".repeat(4001))))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("4097");
    }

    @Test
    void bytesCountNotCharacters() {
        assertThatThrownBy(() -> Labels.check("k", "ä".repeat(2048))).isInstanceOf(InvalidArgumentException.class);
    }
}
