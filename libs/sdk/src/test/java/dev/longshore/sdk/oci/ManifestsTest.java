package dev.longshore.sdk.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ManifestsTest {

    private static final Digest DIGEST = Digest.parse("sha256:" + "ab".repeat(32));

    private static String descriptor(String more) {
        return "{\"mediaType\": \"t\", \"digest\": \"%s\", \"size\": 7%s}".formatted(DIGEST, more);
    }

    private static Manifests.Manifest manifest(String json) {
        return Manifests.manifest(json.getBytes(StandardCharsets.UTF_8), "manifest m");
    }

    private static void assertRefused(String json, String why) {
        assertThatThrownBy(() -> manifest(json))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(why);
    }

    @Test
    void aManifestHasAConfigAndLayersInTheirOrder() {
        Manifests.Manifest manifest = manifest("{\"config\": %s, \"layers\": [%s, %s]}"
                .formatted(
                        descriptor(""),
                        descriptor(", \"annotations\": {\"n\": \"1\"}"),
                        descriptor(", \"annotations\": {\"n\": \"2\"}")));
        assertThat(manifest.config()).isEqualTo(new Descriptor("t", DIGEST, 7));
        assertThat(manifest.layers())
                .extracting(Descriptor::annotations)
                .containsExactly(Map.of("n", "1"), Map.of("n", "2"));
        assertThat(Manifests.references(manifest))
                .isEqualTo(Map.of(
                        "containerd.io/gc.ref.content.config", DIGEST.toString(),
                        "containerd.io/gc.ref.content.l.0", DIGEST.toString(),
                        "containerd.io/gc.ref.content.l.1", DIGEST.toString()));
    }

    @Test
    void aDescriptorHasItsUrlsInTheirOrder() {
        Manifests.Manifest manifest = manifest("{\"config\": %s, \"layers\": [%s]}"
                .formatted(descriptor(""), descriptor(", \"urls\": [\"ipfs://a\", \"https://b.example/\"]")));
        assertThat(manifest.config().urls()).isEmpty();
        assertThat(manifest.layers().getFirst().urls()).containsExactly("ipfs://a", "https://b.example/");
        assertRefused(
                "{\"config\": %s, \"layers\": []}".formatted(descriptor(", \"urls\": [1]")),
                "urls is not a list of strings");
    }

    /** CVE-2021-41190: what two readers take for two things can be signed as one and run as the other. */
    @ParameterizedTest
    @ValueSource(strings = {"[]", "null", "\"x\"", "{}"})
    void aDocumentWithBothManifestsAndLayersIsNeither(String other) {
        String both = "{\"config\": %s, \"layers\": [], \"manifests\": %s}".formatted(descriptor(""), other);
        assertRefused(both, "manifest m is a manifest and an index at once");
        for (String key : List.of("layers", "config")) {
            String index = "{\"manifests\": [], \"%s\": %s}".formatted(key, other);
            assertThatThrownBy(() -> Manifests.index(index.getBytes(StandardCharsets.UTF_8), "index i"))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("index i is a manifest and an index at once");
        }
    }

    @Test
    void aKeyThatIsThereTwiceIsRefused() {
        assertRefused(
                "{\"config\": %s, \"layers\": [], \"layers\": []}".formatted(descriptor("")), "manifest m is not JSON");
    }

    @Test
    void aManifestWithoutAConfigIsRefused() {
        assertRefused("{\"layers\": []}", "size is not a number");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]                                   | not an object",
                "{\"config\": [], \"layers\": []}     | config is not an object",
                "{\"layers\": {}}                     | layers is not a list",
                "{\"layers\": [1]}                    | layers is not an object",
                "{} {}                                | goes on behind its end",
                "{                                    | is not JSON",
                "''                                   | manifest m",
            })
    void whatIsNoManifestIsRefused(String json, String why) {
        assertRefused(json, why);
    }

    @Test
    void moreLayersThanTheLimitAreRefused() {
        String layers = (descriptor("") + ",").repeat(1000) + descriptor("");
        assertRefused(
                "{\"config\": %s, \"layers\": [%s]}".formatted(descriptor(""), layers),
                "1001 layers, the limit is 1000");
    }

    @Test
    void deepNestingIsRefusedAndDoesNotOverflow() {
        assertRefused("{\"layers\": " + "[".repeat(100_000), "is not JSON");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "-1                                        | \"sha256:abab\"",
                "\"7\"                                     | \"\"",
                "7                                         | \"\"",
                "7                                         | \"sha256:xyz\"",
                "7                                         | \"../../etc/passwd\"",
                "7                                         | 5",
                "1e400                                     | \"\"",
            })
    void descriptorsThatAreNoneAreRefused(String size, String digest) {
        assertRefused(
                "{\"config\": {\"mediaType\": \"t\", \"size\": %s, \"digest\": %s}, \"layers\": []}"
                        .formatted(size, digest),
                "");
    }

    /** A size that is no whole number, or does not fit, must not become another one. */
    @ParameterizedTest
    @ValueSource(strings = {"1.5", "18446744073709551623", "9223372036854775808", "-9223372036854775809", "7e0"})
    void sizesAreWholeNumbers(String size) {
        assertRefused(
                "{\"config\": {\"mediaType\": \"t\", \"size\": %s, \"digest\": \"%s\"}, \"layers\": []}"
                        .formatted(size, DIGEST),
                "size is not a");
    }

    @Test
    void annotationsThatAreNoTextAreRefused() {
        assertRefused(
                "{\"config\": %s, \"layers\": []}".formatted(descriptor(", \"annotations\": {\"a\": 1}")),
                "a is not a string");
    }

    @Test
    void anIndexListsManifestsForPlatforms() {
        List<Map<String, Object>> entries = Manifests.index("""
                {"manifests": [
                  {"platform": {"os": "linux", "architecture": "amd64"}},
                  {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                  {"platform": {"os": "windows", "architecture": "amd64"}},
                  {}
                ]}
                """.getBytes(StandardCharsets.UTF_8), "index");
        assertThat(entries.stream()
                        .map(entry -> Manifests.matches(entry, "linux", "amd64"))
                        .toList())
                .containsExactly(true, false, false, true);
    }

    @Test
    void aConfigSaysHowTheImageIsRun() {
        Map<String, Object> process = new HashMap<>();
        process.put("User", "1:2");
        process.put("Env", List.of("A=b"));
        process.put("Cmd", List.of("sh"));
        process.put("Entrypoint", null);
        byte[] json = Json.bytes(Map.of(
                "os",
                "linux",
                "architecture",
                "amd64",
                "config",
                process,
                "rootfs",
                Map.of("diff_ids", List.of(DIGEST.toString()))));
        assertThat(Manifests.config(json, "config"))
                .isEqualTo(new Manifests.Config(
                        "linux",
                        "amd64",
                        List.of(DIGEST),
                        new Manifests.ProcessDefaults("1:2", List.of("A=b"), List.of(), List.of("sh"), "", "")));
    }

    @Test
    void mediaTypesTellIndexesFromManifests() {
        assertThat(List.of(MediaTypes.OCI_INDEX, MediaTypes.DOCKER_INDEX))
                .allMatch(Manifests::isIndex)
                .noneMatch(Manifests::isManifest);
        assertThat(List.of(MediaTypes.OCI_MANIFEST, MediaTypes.DOCKER_MANIFEST))
                .allMatch(Manifests::isManifest)
                .noneMatch(Manifests::isIndex);
    }

    @Test
    void valuesDoNotChangeBehindTheirBacks() {
        Map<String, String> annotations = new HashMap<>(Map.of("a", "b"));
        Descriptor descriptor = new Descriptor("t", DIGEST, 1, annotations);
        annotations.put("c", "d");
        assertThat(descriptor.annotations()).isEqualTo(Map.of("a", "b"));
        assertThatThrownBy(() -> descriptor.annotations().put("e", "f"))
                .isInstanceOf(UnsupportedOperationException.class);
    }
}
