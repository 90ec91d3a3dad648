package dev.longshore.daemon.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class BootstrapAnswerTest {

    @Test
    void protobufIsRead() {
        byte[] answer = BootstrapResult.newBuilder()
                .setVersion(3)
                .setAddress("unix:///run/s/abc")
                .setProtocol("TTRPC")
                .putMetadata(BootstrapAnswer.REATTACH, "true")
                .build()
                .toByteArray();

        BootstrapAnswer parsed = BootstrapAnswer.parse(answer);

        assertThat(parsed)
                .isEqualTo(
                        new BootstrapAnswer(3, "unix:///run/s/abc", "ttrpc", Map.of(BootstrapAnswer.REATTACH, "true")));
        assertThat(parsed.reattaches()).isTrue();
    }

    @Test
    void jsonIsRead() {
        assertThat(parse("{\"version\":3,\"address\":\"unix:///run/s/abc\",\"protocol\":\"ttrpc\"}\n"))
                .isEqualTo(new BootstrapAnswer(3, "unix:///run/s/abc", "ttrpc"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "unix:///run/containerd/s/f62ccaca05a53d3b402898d7e7c622642212271402ad1326937a8ef77dd34f13",
                "/containerd-shim/default/abc/shim.sock",
                "vsock://3:1024",
            })
    void bareAddressIsVersion2(String address) {
        assertThat(parse(address)).isEqualTo(new BootstrapAnswer(2, address, "ttrpc"));
        assertThat(parse(address + "\n")).isEqualTo(new BootstrapAnswer(2, address, "ttrpc"));
    }

    @Test
    void whatIsWrittenIsReadAgain() {
        BootstrapAnswer answer = new BootstrapAnswer(3, "unix:///run/s/\"x\"", "grpc", Map.of("a", "b"));

        assertThat(BootstrapAnswer.parse(answer.toJson())).isEqualTo(answer);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " \n",
                "hello",
                "panic: runtime error\ngoroutine 1 [running]",
                "WARNING: sun.misc.Unsafe\nunix:///run/s/abc",
                "{\"version\":3,\"address\":\"\",\"protocol\":\"ttrpc\"}",
                "{\"version\":3",
                "[]",
            })
    void junkIsNoAnswer(String answer) {
        assertThatThrownBy(() -> parse(answer)).isInstanceOf(InvalidArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"version\":4,\"address\":\"unix:///x\",\"protocol\":\"ttrpc\"}",
                "{\"version\":1,\"address\":\"unix:///x\",\"protocol\":\"ttrpc\"}",
                "{\"version\":3,\"address\":\"unix:///x\",\"protocol\":\"http\"}",
            })
    void unknownVersionsAndProtocolsAreSaidToBeSo(String answer) {
        assertThatThrownBy(() -> parse(answer)).isInstanceOf(UnimplementedException.class);
    }

    private static BootstrapAnswer parse(String answer) {
        return BootstrapAnswer.parse(answer.getBytes(UTF_8));
    }
}
