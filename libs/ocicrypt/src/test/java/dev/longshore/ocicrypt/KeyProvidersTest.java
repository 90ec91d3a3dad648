package dev.longshore.ocicrypt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Key providers that are programs: good ones are tested with other readers in {@code deploy}. */
final class KeyProvidersTest {

    @TempDir
    private Path folder;

    private Path config;

    @BeforeEach
    void locate() {
        config = folder.resolve("providers.json");
    }

    private KeyProviders shell(String script) throws IOException {
        Files.write(
                config,
                Json.bytes(Map.of(
                        "key-providers",
                        Map.of("p", Map.of("cmd", Map.of("path", "/bin/sh", "args", List.of("-c", script)))))));
        return KeyProviders.of(Map.of(KeyProviders.VARIABLE, config.toString()), new GrpcKeyProvider());
    }

    @Test
    void aProgramIsAskedOnItsInputAndAnswersOnItsOutput() throws IOException {
        Path asked = folder.resolve("asked");
        KeyProviders providers =
                shell("cat >%s; echo '{\"keyunwrapresults\":{\"optsdata\":\"c2VjcmV0\"}}'".formatted(asked));
        assertThat(providers.unwrap("p", "wrapped".getBytes(UTF_8), Map.of("p", List.of("YQ=="))))
                .asString()
                .isEqualTo("secret");
        Map<String, Object> request = Json.object(Files.readAllBytes(asked), "request");
        assertThat(Json.string(request, "op")).isEqualTo("keyunwrap");
        assertThat(Json.object(request, "keyunwrapparams"))
                .isEqualTo(
                        Map.of("dc", Map.of("Parameters", Map.of("p", List.of("YQ=="))), "annotation", "d3JhcHBlZA=="));
    }

    @Test
    void whatARecipientSaysBehindTheNameIsSentAlong() throws IOException {
        Path asked = folder.resolve("asked");
        KeyProviders providers =
                shell("cat >%s; echo '{\"keywrapresults\":{\"annotation\":\"eA==\"}}'".formatted(asked));
        Recipients recipients = new Recipients(providers);
        recipients.add("provider:p:a:b");
        assertThat(recipients.wrap(LayerKey.random(""), new LayerSeal(new byte[32], new byte[0])))
                .containsEntry(Annotations.KEYS + "provider.p", "eA==");
        Map<String, Object> parameters =
                Json.object(Json.object(Json.object(Files.readAllBytes(asked), "request"), "keywrapparams"), "ec");
        assertThat(Json.object(parameters, "Parameters")).isEqualTo(Map.of("p", List.of("YTpi")));
    }

    @Test
    void aProgramThatFailsIsNamedWithItsStatus() throws IOException {
        KeyProviders providers = shell("cat >/dev/null; exit 7");
        assertThatThrownBy(() -> providers.unwrap("p", new byte[1], Map.of()))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("key provider p (/bin/sh) failed with exit status 7");
    }

    @Test
    void aProgramThatIsMissingIsNamed() throws IOException {
        Files.writeString(config, "{\"key-providers\":{\"p\":{\"cmd\":{\"path\":\"/no/such\"}}}}");
        KeyProviders providers =
                KeyProviders.of(Map.of(KeyProviders.VARIABLE, config.toString()), new GrpcKeyProvider());
        assertThatThrownBy(() -> providers.wrap("p", new byte[1], ""))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("key provider p: ")
                .hasMessageContaining("/no/such");
    }

    @Test
    void aProgramThatAnswersWithoutReadingIsBelieved() throws IOException {
        KeyProviders providers = shell("echo '{\"keyunwrapresults\":{\"optsdata\":\"c2VjcmV0\"}}'");
        assertThat(providers.unwrap("p", new byte[500_000], Map.of()))
                .asString()
                .isEqualTo("secret");
    }

    @Test
    void anAnswerThatIsNoneIsSaid() throws IOException {
        assertThatThrownBy(() -> shell("cat >/dev/null; echo '{}'").unwrap("p", new byte[1], Map.of()))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("without optsdata");
        assertThatThrownBy(() -> shell("cat >/dev/null; echo nonsense").unwrap("p", new byte[1], Map.of()))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("not JSON");
        assertThatThrownBy(() -> shell("cat >/dev/null; exec cat /dev/zero").unwrap("p", new byte[1], Map.of()))
                .hasMessageContaining("answers too much");
    }

    @Test
    void aProviderThatNobodyHasConfiguredIsNamed() throws IOException {
        KeyProviders none = KeyProviders.of(Map.of(), new GrpcKeyProvider());
        assertThatThrownBy(() -> none.wrap("p", new byte[1], ""))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(KeyProviders.VARIABLE);
        Files.writeString(config, "{\"key-providers\":{\"p\":{}}}");
        KeyProviders empty = KeyProviders.of(Map.of(KeyProviders.VARIABLE, config.toString()), new GrpcKeyProvider());
        assertThatThrownBy(() -> empty.wrap("p", new byte[1], "")).hasMessageContaining("neither cmd nor grpc");
    }

    @Test
    void aServiceThatIsNotThereIsAnError() throws IOException {
        Files.writeString(
                config, "{\"key-providers\":{\"p\":{\"grpc\":\"127.0.0.1:1\"},\"q\":{\"grpc\":\"nowhere\"}}}");
        KeyProviders providers =
                KeyProviders.of(Map.of(KeyProviders.VARIABLE, config.toString()), new GrpcKeyProvider());
        assertThatThrownBy(() -> providers.wrap("p", new byte[1], ""))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("127.0.0.1:1 cannot be reached");
        assertThatThrownBy(() -> providers.wrap("q", new byte[1], "")).hasMessageContaining("host:port");
    }
}
