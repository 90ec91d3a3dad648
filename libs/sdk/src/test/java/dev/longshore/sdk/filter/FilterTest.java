package dev.longshore.sdk.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FilterTest {

    private static final Map<String, String> LABELS =
            Map.of("foo", "bar", "very.complex/label", "x", "empty", "", "quote\"d", "v");

    private static final Fields OBJECT = path -> switch (path.getFirst()) {
        case "name" -> Optional.of("docker.io/library/busybox:1");
        case "kind" -> Optional.of("active");
        case "labels" -> Fields.entry(LABELS, path);
        default -> Optional.empty();
    };

    @ParameterizedTest
    @ValueSource(
            strings = {
                "name",
                "name==docker.io/library/busybox:1",
                "name == docker.io/library/busybox:1",
                "name!=other",
                "name~=busy",
                "name~=/^docker\\\\.io\\//",
                "name~=|^docker[.]io/|",
                "name~=\"busybox:[0-9]+$\"",
                "kind==active,labels.foo==bar",
                "labels.foo",
                "labels.\"very.complex/label\"==x",
                "labels.very.\"complex/label\"==x",
                "labels.empty",
                "labels.empty==\"\"",
                "labels.\"quote\\\"d\"==v",
                "labels.\"f\\x6fo\"==\"b\\141r\"",
                "labels.\"f\\u006fo\"==\"\\U00000062ar\"",
                "missing!=x",
                "missing~=^$"
            })
    void theseTakeTheObject(String filter) {
        assertThat(Filter.parse(filter).matches(OBJECT)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "missing",
                "name==other",
                "name!=docker.io/library/busybox:1",
                "name~=^busy",
                "labels.foo==baz",
                "kind==active,labels.foo==baz",
                "labels.bar",
                "missing==\"\"",
                "labels"
            })
    void theseDoNot(String filter) {
        assertThat(Filter.parse(filter).matches(OBJECT)).isFalse();
    }

    /** As ctr sends it where none was given. */
    @Test
    void emptyFilterTakesEverything() {
        assertThat(Filter.parse("").matches(OBJECT)).isTrue();
        assertThat(Filter.any(List.of("")).matches(OBJECT)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                ",",
                "name,",
                "name==",
                "name=x",
                "name=!x",
                "name===x",
                "=x",
                "name..x",
                ".name",
                "name.",
                "na-me==x",
                "name==\"x",
                "name==/x/",
                "name==|x|",
                "name==\"\\q\"",
                "name==\"\\x4\"",
                "name==x y",
                "name~=/[/",
                "name~=(",
                "name==\"\\U99999999\"",
                "labels.\"a",
                "name==\u0001"
            })
    void whatIsNoFilterIsInvalidAndSaysWhere(String filter) {
        assertThatThrownBy(() -> Filter.parse(filter))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageStartingWith("filter ");
    }

    @Test
    void ofAListOneIsEnoughAndNoneTakeEverything() {
        assertThat(Filter.any(List.of("kind==view", "kind==active")).matches(OBJECT))
                .isTrue();
        assertThat(Filter.any(List.of("kind==view", "kind==committed")).matches(OBJECT))
                .isFalse();
        assertThat(Filter.any(List.of()).matches(OBJECT)).isTrue();
    }

    @Test
    @Timeout(10)
    void anExpressionThatWouldBacktrackForEverDoesNot() {
        Fields victim = path -> Optional.of("a".repeat(4000) + "!");
        assertThat(Filter.parse("name~=/^(a+)+$/").matches(victim)).isFalse();
    }

    @Test
    void sizesAreLimited() {
        assertThatThrownBy(() -> Filter.parse("a".repeat(Filter.MAX_LENGTH + 1)))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> Filter.any(java.util.Collections.nCopies(Filter.MAX_FILTERS + 1, "a")))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void randomTextEitherParsesOrIsInvalid() {
        Random random = new Random(7);
        String alphabet = "ab.,\"/|\\=!~ x0[(*";
        long end = System.nanoTime() + Duration.ofMillis(500).toNanos();
        while (System.nanoTime() < end) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(12); i >= 0; i--) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            try {
                Filter.parse(text.toString()).matches(OBJECT);
            } catch (ContainerdException e) {
                assertThat(e).isInstanceOf(InvalidArgumentException.class);
            }
        }
    }
}
