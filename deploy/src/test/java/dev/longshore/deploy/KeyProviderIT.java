package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Keys that programs and services of others wrap: {@code box} is a shell script with openssl, {@code service} speaks gRPC. */
class KeyProviderIT {

    private static final String PLAIN = "docker.io/library/plain:1";
    private static final String ENCRYPTED = "docker.io/library/encrypted:1";

    private static final String BOX = """
            #!/bin/sh
            set -eu
            request=$(cat)
            field() { printf '%s' "$request" | sed "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/"; }
            seal() { openssl enc "$@" -aes-256-cbc -pbkdf2 -pass "file:${0%/*}/secret" -a -A; }
            case $request in
              *'"op":"keywrap"'*) printf '{"keywrapresults":{"annotation":"%s"}}' "$(field optsdata | seal | base64 -w0)" ;;
              *) printf '{"keyunwrapresults":{"optsdata":"%s"}}' "$(field annotation | base64 -d | seal -d)" ;;
            esac
            """;

    @TempDir
    private Path folder;

    private Path providers;
    private KeyService service;
    private Suite suite;

    @BeforeEach
    void up() throws IOException {
        Programs.need("openssl");
        suite = Suite.up();
        service = new KeyService();
        Path box = Files.writeString(folder.resolve("box"), BOX);
        assertThat(box.toFile().setExecutable(true)).isTrue();
        Files.writeString(folder.resolve("secret"), "open sesame");
        providers = Files.write(
                folder.resolve("providers.json"),
                Json.bytes(Map.of(
                        "key-providers",
                        Map.of(
                                "box", Map.of("cmd", Map.of("path", box.toString(), "args", List.of())),
                                "service", Map.of("grpc", service.address())))));
        Path config = suite.root().resolve("config.toml");
        Files.writeString(config, Files.readString(config) + """

                [stream_processors."io.containerd.ocicrypt.decoder.v1.tar.gzip"]
                accepts = ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]
                returns = "application/vnd.oci.image.layer.v1.tar+gzip"
                path = "ctd-decoder"
                env = ["OCICRYPT_KEYPROVIDER_CONFIG=%s"]
                """.formatted(providers));
        suite.kill("longshored");
        suite.start();
        suite.longshore(
                        "image",
                        "import",
                        "--no-unpack",
                        TestImage.busybox(PLAIN).toString())
                .ok();
    }

    @AfterEach
    void down() {
        if (service != null) {
            service.close();
        }
        if (suite != null) {
            suite.close();
        }
    }

    private Ran client(String... words) {
        List<String> command = new ArrayList<>(List.of(
                Suite.distribution().resolve("bin/longshore").toString(),
                "--address",
                suite.address().toString()));
        command.addAll(List.of(words));
        return Programs.run(command, "", Map.of("OCICRYPT_KEYPROVIDER_CONFIG", providers.toString()));
    }

    private void encrypt(String recipient) {
        client("image", "encrypt", "--recipient", recipient, PLAIN, ENCRYPTED).ok();
    }

    @ParameterizedTest
    @ValueSource(strings = {"box", "service"})
    void whatAProviderHasWrappedItUnwraps(String provider) {
        encrypt("provider:" + provider + ":attribute");
        assertThat(suite.longshore("run", "--rm", ENCRYPTED, "/bin/echo", "decrypted")
                        .ok()
                        .out())
                .contains("decrypted");
        client("image", "decrypt", ENCRYPTED, "docker.io/library/decrypted:1").ok();
        suite.longshore("image", "decrypt", ENCRYPTED, "docker.io/library/no:1").failedWith("no key fits");
    }

    @ParameterizedTest
    @ValueSource(strings = {"box", "service"})
    void aProviderThatRefusesIsNamedAndNothingIsUnpacked(String provider) throws IOException {
        encrypt("provider:" + provider);
        if (provider.equals("box")) {
            Files.writeString(folder.resolve("secret"), "close sesame");
        } else {
            service.close();
        }
        suite.longshore("image", "unpack", ENCRYPTED).failedWith(provider);
        assertThat(suite.ctr("snapshots", "ls").ok().lines())
                .noneMatch(line -> line.contains("Committed") || line.contains("Active"));
    }

    /**
     * The library behind skopeo and imgcrypt, newer than Debian's, as a program of {@code LONGSHORE_OCICRYPT}: it gets {@code encrypt}, a
     * file for the annotations and recipients, or {@code decrypt}, such a file and keys.
     */
    @Test
    void theLibraryOfOthersAgreesWithOurDecoder() throws IOException {
        String peer = System.getenv().getOrDefault("LONGSHORE_OCICRYPT", "");
        assumeTrue(!peer.isEmpty(), "LONGSHORE_OCICRYPT names no program");
        Map<String, String> environment = Map.of("OCICRYPT_KEYPROVIDER_CONFIG", providers.toString());
        Path annotations = folder.resolve("annotations");
        for (String provider : List.of("box", "service")) {
            String recipient = "provider:" + provider + ":attribute";
            // What others have encrypted.
            Path cipher = folder.resolve("cipher");
            shell(
                    "printf layer | \"$1\" encrypt \"$2\" \"$3\" >\"$4\"",
                    environment,
                    peer,
                    annotations,
                    recipient,
                    cipher);
            Path payload = Files.write(folder.resolve("payload"), payload(annotations));
            assertThat(shell(
                                    "\"$1\" <\"$2\" 3<\"$3\"",
                                    environment,
                                    Suite.distribution().resolve("bin/ctd-decoder"),
                                    cipher,
                                    payload)
                            .out())
                    .isEqualTo("layer");
            // What we have.
            encrypt(recipient);
            Map<String, Object> layer =
                    Json.objects(document(ENCRYPTED), "layers").getFirst();
            Files.write(annotations, Json.bytes(Json.object(layer, "annotations")));
            shell(
                    "ctr -a \"$1\" content get \"$2\" | \"$3\" decrypt \"$4\" \"$5\" | gzip -t",
                    environment,
                    suite.address(),
                    Json.string(layer, "digest"),
                    peer,
                    annotations,
                    recipient);
        }
    }

    private Map<String, Object> document(String image) {
        String digest = suite.ctr("images", "ls").ok().row(image)[2];
        return Json.object(suite.ctr("content", "get", digest).ok().out().getBytes(StandardCharsets.UTF_8), image);
    }

    /** As imgcrypt's clients send it: {@code google.protobuf.Any}. */
    private static byte[] payload(Path annotations) throws IOException {
        byte[] json = Json.bytes(Map.of(
                "DecryptConfig",
                Map.of("Parameters", Map.of()),
                "Descriptor",
                Map.of("annotations", Json.object(Files.readAllBytes(annotations), "annotations"))));
        return Any.newBuilder()
                .setTypeUrl("io.containerd.ocicrypt.v1.Payload")
                .setValue(ByteString.copyFrom(json))
                .build()
                .toByteArray();
    }

    private static Ran shell(String script, Map<String, String> environment, Object... arguments) {
        List<String> command = new ArrayList<>(List.of("bash", "-o", "pipefail", "-c", script, "sh"));
        Stream.of(arguments).map(Object::toString).forEach(command::add);
        return Programs.run(command, "", environment).ok();
    }
}
