package dev.longshore.sdk.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdentifiersTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "default",
                "k8s.io",
                "moby",
                "A",
                "7",
                "a-b_c.d",
                "0123456789012345678901234567890123456789012345678901234567890123456789012345"
            })
    void lettersAndDigitsWithSingleSeparatorsAreTaken(String id) {
        assertThat(Identifiers.check("namespace", id)).isEqualTo(id);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "a..b",
                "a-",
                "-a",
                ".a",
                "a.",
                "a/b",
                "a b",
                "ä",
                "a\n",
                "a\0",
                "a._b",
                "01234567890123456789012345678901234567890123456789012345678901234567890123456"
            })
    void everythingElseIsInvalid(String id) {
        assertThatThrownBy(() -> Identifiers.check("container", id))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("container");
    }
}
