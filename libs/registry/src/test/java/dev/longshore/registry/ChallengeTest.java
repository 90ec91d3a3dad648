package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class ChallengeTest {

    @Test
    void bearerHasItsParameters() {
        assertThat(
                        Challenge.parse(
                                "Bearer realm=\"https://auth.example/token\",service=\"a \\\"b\\\"\", scope=\"repository:x:pull,push\""))
                .isEqualTo(List.of(new Challenge(
                        "bearer",
                        Map.of(
                                "realm",
                                "https://auth.example/token",
                                "service",
                                "a \"b\"",
                                "scope",
                                "repository:x:pull,push"))));
    }

    @Test
    void oneHeaderHoldsManyChallenges() {
        assertThat(Challenge.parse("Negotiate, Basic realm=x, BEARER Realm = \"y\""))
                .extracting(Challenge::scheme)
                .containsExactly("negotiate", "basic", "bearer");
        assertThat(Challenge.parse("Basic realm=x, Bearer realm=y").get(1).parameter("realm"))
                .isEqualTo("y");
    }

    @Property
    void anyTextIsRead(@ForAll String header) {
        assertThatCode(() -> Challenge.parse(header)).doesNotThrowAnyException();
    }
}
