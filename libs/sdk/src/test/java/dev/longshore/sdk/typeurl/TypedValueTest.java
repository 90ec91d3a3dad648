package dev.longshore.sdk.typeurl;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class TypedValueTest {

    private static final String SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec";

    @Test
    void theNameOfATypeIsWithoutProtobufsPrefix() {
        assertThat(new TypedValue("type.googleapis.com/containerd.events.TaskExit", new byte[0]).typeName())
                .isEqualTo("containerd.events.TaskExit");
        assertThat(new TypedValue("containerd.events.TaskExit", new byte[0]).typeName())
                .isEqualTo("containerd.events.TaskExit");
        assertThat(new TypedValue(SPEC, new byte[0]).typeName()).isEqualTo(SPEC);
    }

    @Test
    void valuesAreEqualByTheirBytes() {
        TypedValue value = new TypedValue(SPEC, new byte[] {1, 2});
        assertThat(value).isEqualTo(new TypedValue(SPEC, new byte[] {1, 2}));
        assertThat(value).hasSameHashCodeAs(new TypedValue(SPEC, new byte[] {1, 2}));
        assertThat(value).isNotEqualTo(new TypedValue(SPEC, new byte[] {1, 3}));
        assertThat(value).isNotEqualTo(new TypedValue("other", new byte[] {1, 2}));
    }

    /** The bytes may be a secret. */
    @Test
    void itsTextDoesNotShowTheBytes() {
        assertThat(new TypedValue("t", "secret".getBytes(StandardCharsets.UTF_8)))
                .hasToString("t[6 bytes]");
    }
}
