package dev.longshore.sdk.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

    private static Map<String, Object> parse(String text) {
        return Json.object(text.getBytes(StandardCharsets.UTF_8), "the document");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "null", "7", "\"x\"", "{\"a\":1,\"a\":2}", "{}{"})
    void whatIsNoObjectIsRefused(String text) {
        assertThatThrownBy(() -> parse(text))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("the document");
    }

    @Test
    void nestingIsLimited() {
        String deep = "{\"a\":" + "[".repeat(5000) + "]".repeat(5000) + "}";
        assertThatThrownBy(() -> parse(deep)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void valuesOfOtherTypesAreRefused() {
        Map<String, Object> document = parse("{\"s\":\"x\",\"n\":5,\"l\":[\"a\",1],\"o\":{}}");
        assertThat(Json.string(document, "s")).isEqualTo("x");
        assertThat(Json.number(document, "n")).isEqualTo(5);
        assertThat(Json.string(document, "absent")).isEmpty();
        assertThat(Json.objects(document, "absent")).isEmpty();
        assertThatThrownBy(() -> Json.string(document, "n")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.number(document, "s")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.number(document, "absent")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.strings(document, "l")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.objects(document, "l")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.object(document, "l")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Json.strings(document, "o")).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void writtenTreesAreReadBack() {
        Map<String, Object> tree = Map.of("list", List.of("a", "b"), "flag", true);
        assertThat(Json.object(Json.bytes(tree), "tree")).isEqualTo(tree);
        assertThat(parse(Json.pretty(tree))).isEqualTo(tree);
    }
}
