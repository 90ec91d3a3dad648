package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DockerConfigTest {

    @TempDir
    Path folder;

    private Optional<Credential> of(String json, String host) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, json);
        return new DockerConfig(file).of(host);
    }

    @Test
    void absentFileHasNothing() throws IOException {
        assertThat(new DockerConfig(folder.resolve("absent")).of("a")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"host:5000", "https://host:5000", "https://host:5000/v1/"})
    void passwordIsFoundByHostOrAddress(String key) throws IOException {
        // dTpwOnE= is u:p:q
        assertThat(of("{\"auths\": {\"%s\": {\"auth\": \"dTpwOnE=\"}}}".formatted(key), "host:5000"))
                .contains(new Credential("u", "p:q"));
    }

    @Test
    void dockerHubHasANameOfItsOwn() throws IOException {
        String json = "{\"auths\": {\"https://index.docker.io/v1/\": {\"username\": \"u\", \"password\": \"p\"}}}";
        assertThat(of(json, "docker.io")).contains(new Credential("u", "p"));
        assertThat(of(json, "example.com")).isEmpty();
    }

    @Test
    void identityTokenHasNoUser() throws IOException {
        assertThat(of("{\"auths\": {\"host\": {\"auth\": \"dTpw\", \"identitytoken\": \"t\"}}}", "host"))
                .contains(new Credential("", "t"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "not json",
                "{\"auths\": {\"host\": {\"auth\": \"***\"}}}",
                "{\"auths\": {\"host\": {\"auth\": \"dXA=\"}}}",
                "{\"auths\": []}",
                "{\"credsStore\": \"../../bin/sh\"}"
            })
    void brokenFileIsToldAndNamed(String json) {
        assertThatThrownBy(() -> of(json, "host")).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void secretIsNotPrinted() {
        assertThat(new Credential("u", "hidden").toString()).doesNotContain("hidden");
    }
}
