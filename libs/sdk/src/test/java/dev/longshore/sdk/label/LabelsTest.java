package dev.longshore.sdk.label;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;
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

    @Test
    void anUpdateWithoutPathsReplacesEverything() {
        assertThat(Labels.update(Map.of("a", "1", "b", "2"), Map.of("c", "3"), List.of()))
                .isEqualTo(Map.of("c", "3"));
    }

    @Test
    void anUpdateByKeySetsOrDeletesThatKeyAlone() {
        Map<String, String> current = Map.of("a", "1", "b.c/d", "2");
        assertThat(Labels.update(current, Map.of("b.c/d", "3", "x", "y"), List.of("labels.b.c/d")))
                .isEqualTo(Map.of("a", "1", "b.c/d", "3"));
        assertThat(Labels.update(current, Map.of("a", ""), List.of("labels.a"))).isEqualTo(Map.of("b.c/d", "2"));
        assertThat(Labels.update(current, Map.of(), List.of("labels.a"))).isEqualTo(Map.of("b.c/d", "2"));
    }

    @Test
    void anUpdateOfAnythingElseIsInvalid() {
        assertThatThrownBy(() -> Labels.update(Map.of(), Map.of(), List.of("parent")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("parent");
    }
}
