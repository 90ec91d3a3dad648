package dev.longshore.sdk.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceTest {

    private static final String HEX = "0123456789abcdef".repeat(4);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "docker.io/library/busybox:1",
                "127.0.0.1:5000/a",
                "localhost/a/b-c/d__e.f:latest",
                "[::1]:5000/a:b",
                "example.com/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "example.com/app:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            })
    void nameIsWrittenAsItWasRead(String text) {
        assertThat(Reference.parse(text).toString()).isEqualTo(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "busybox",
                "",
                "/a",
                "host/",
                "host/A",
                "host/a//b",
                "host/../b",
                "host/a:",
                "host/a:-b",
                "host/a@sha256:12",
                "ho st/a",
                "host/a?b=c",
                "host/a#b",
                "user@host/a",
                "-host/a",
                "host:port/a"
            })
    void whatIsNoNameIsRefused(String text) {
        assertThatThrownBy(() -> Reference.parse(text)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void digestComesBeforeTheTag() {
        Reference reference = Reference.parse("host/a:v1@sha256:" + HEX);
        assertThat(reference.tag()).isEqualTo(Optional.of("v1"));
        assertThat(reference.object()).isEqualTo("sha256:" + HEX);
    }

    @ParameterizedTest
    @CsvSource({
        "busybox, docker.io/library/busybox:latest",
        "busybox:1, docker.io/library/busybox:1",
        "team/app, docker.io/team/app:latest",
        "localhost/app, localhost/app:latest",
        "host:5000/app:2, host:5000/app:2"
    })
    void peoplesNamesAreCompleted(String written, String full) {
        assertThat(Reference.parseFamiliar(written).toString()).isEqualTo(full);
    }
}
