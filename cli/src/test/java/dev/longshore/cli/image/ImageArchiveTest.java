package dev.longshore.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageArchiveTest {

    private static final byte[] LAYER = {0x1f, (byte) 0x8b, 8, 0, 1, 2, 3};
    private static final byte[] CONFIG =
            bytes("{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[]}}");

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("image.tar");
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String descriptor(String type, byte[] content, String more) {
        return "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d%s}"
                .formatted(type, Digest.sha256(content), content.length, more);
    }

    private static String blob(byte[] content) {
        return "blobs/sha256/" + Digest.sha256(content).hex();
    }

    private static byte[] manifest() {
        return bytes("{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}"
                .formatted(
                        descriptor(MediaTypes.OCI_CONFIG, CONFIG, ""),
                        descriptor(MediaTypes.OCI_LAYER_GZIP, LAYER, "")));
    }

    private static String index(String... descriptors) {
        return "{\"schemaVersion\":2,\"manifests\":[%s]}".formatted(String.join(",", descriptors));
    }

    private static String named(String annotations) {
        return ",\"annotations\":{" + annotations + "}";
    }

    private static ArchiveBuilder layout(String index) {
        return new ArchiveBuilder()
                .file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}")
                .file("index.json", index)
                .file(blob(manifest()), manifest())
                .file(blob(CONFIG), CONFIG)
                .file(blob(LAYER), LAYER);
    }

    @Test
    void layoutIsReadAndReferredThingsComeFirst() throws IOException {
        layout(
                        index(
                                descriptor(
                                        MediaTypes.OCI_MANIFEST,
                                        manifest(),
                                        named(
                                                "\"io.containerd.image.name\":\"docker.io/library/app:1\",\"org.opencontainers.image.ref.name\":\"1\""))))
                .write(file);
        try (ImageArchive archive = ImageArchive.open(file, "")) {
            assertThat(archive.images().keySet()).containsExactly("docker.io/library/app:1");
            List<Digest> order = archive.blobs().stream()
                    .map(blob -> blob.descriptor().digest())
                    .toList();
            assertThat(order).containsExactly(Digest.sha256(LAYER), Digest.sha256(CONFIG), Digest.sha256(manifest()));
            assertThat(archive.blobs().getLast().labels())
                    .containsEntry(
                            "containerd.io/gc.ref.content.config",
                            Digest.sha256(CONFIG).toString())
                    .containsEntry(
                            "containerd.io/gc.ref.content.l.0",
                            Digest.sha256(LAYER).toString());
            assertThat(archive.blobs().getFirst().source().open(2).readAllBytes())
                    .containsExactly(8, 0, 1, 2, 3);
        }
    }

    @Test
    void tagAloneNeedsAName() throws IOException {
        layout(index(descriptor(
                        MediaTypes.OCI_MANIFEST, manifest(), named("\"org.opencontainers.image.ref.name\":\"1\""))))
                .write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, ""))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("--name");
        try (ImageArchive archive = ImageArchive.open(file, "docker.io/library/app")) {
            assertThat(archive.images().keySet()).containsExactly("docker.io/library/app:1");
        }
        try (ImageArchive archive = ImageArchive.open(file, "localhost:5000/app:9")) {
            assertThat(archive.images().keySet()).containsExactly("localhost:5000/app:9");
        }
    }

    @Test
    void imagesOfOtherPlatformsMayBeMissing() throws IOException {
        byte[] other = bytes("{\"other\":1}");
        byte[] list = bytes(index(
                descriptor(MediaTypes.OCI_MANIFEST, other, ""), descriptor(MediaTypes.OCI_MANIFEST, manifest(), "")));
        layout(index(descriptor(
                        MediaTypes.OCI_INDEX, list, named("\"io.containerd.image.name\":\"docker.io/library/app:1\""))))
                .file(blob(list), list)
                .write(file);
        try (ImageArchive archive = ImageArchive.open(file, "")) {
            assertThat(archive.missing()).containsExactly(Digest.sha256(other).toString());
            assertThat(archive.blobs().getLast().labels())
                    .containsOnlyKeys("containerd.io/gc.ref.content.m.0")
                    .containsValue(Digest.sha256(manifest()).toString());
        }
    }

    @Test
    void archiveOfDockerIsRead() throws IOException {
        new ArchiveBuilder()
                .file(
                        "manifest.json",
                        "[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\",\"me/app:2\",\"host.example/app:3\"],\"Layers\":[\"a/layer.tar\",\"b/layer.tar\"]}]")
                .file("c.json", CONFIG)
                .file("a/layer.tar", LAYER)
                .link('2', "b/layer.tar", "../a/layer.tar")
                .write(file);
        try (ImageArchive archive = ImageArchive.open(file, "")) {
            assertThat(archive.images().keySet())
                    .containsExactly("docker.io/library/app:1", "docker.io/me/app:2", "host.example/app:3");
            assertThat(archive.blobs()).hasSize(3);
            assertThat(archive.blobs().get(1).descriptor().mediaType()).isEqualTo(MediaTypes.DOCKER_LAYER_GZIP);
        }
    }

    /** CVE-2021-41190. */
    @Test
    void documentThatIsManifestAndIndexAtOnceIsRefused() throws IOException {
        byte[] both = bytes("{\"manifests\":[],\"config\":%s,\"layers\":[]}"
                .formatted(descriptor(MediaTypes.OCI_CONFIG, CONFIG, "")));
        layout(index(descriptor(
                        MediaTypes.OCI_MANIFEST,
                        both,
                        named("\"io.containerd.image.name\":\"docker.io/library/app:1\""))))
                .file(blob(both), both)
                .write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, ""))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("at once");
        assertThatThrownBy(() -> Manifests.index(both, "x")).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void manifestWithAnotherDigestIsRefused() throws IOException {
        byte[] forged = bytes("{\"layers\":[]}");
        new ArchiveBuilder()
                .file("index.json", index(descriptor(MediaTypes.OCI_MANIFEST, manifest(), "")))
                .file(blob(manifest()), forged)
                .write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, "docker.io/library/app"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("forged");
    }

    @Test
    void missingOrOtherwiseLongLayerIsRefused() throws IOException {
        String index = index(descriptor(MediaTypes.OCI_MANIFEST, manifest(), ""));
        ArchiveBuilder withoutLayer = new ArchiveBuilder()
                .file("index.json", index)
                .file(blob(manifest()), manifest())
                .file(blob(CONFIG), CONFIG);
        withoutLayer.write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, "docker.io/library/app"))
                .isInstanceOf(NotFoundException.class);
        new ArchiveBuilder()
                .file("index.json", index)
                .file(blob(manifest()), manifest())
                .file(blob(CONFIG), CONFIG)
                .file(blob(LAYER), new byte[100])
                .write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, "docker.io/library/app"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("100 bytes");
    }

    @Test
    void imageOfTooManyLayersIsRefused() {
        String layers = String.join(
                ",",
                IntStream.range(0, 1001)
                        .mapToObj(_ -> descriptor(MediaTypes.OCI_LAYER, LAYER, ""))
                        .toList());
        byte[] manifest = bytes(
                "{\"config\":%s,\"layers\":[%s]}".formatted(descriptor(MediaTypes.OCI_CONFIG, CONFIG, ""), layers));
        assertThatThrownBy(() -> Manifests.manifest(manifest, "the manifest"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("1001 layers");
    }

    @Test
    void archiveThatIsNoImageIsRefused() throws IOException {
        new ArchiveBuilder().file("readme", "hello").write(file);
        assertThatThrownBy(() -> ImageArchive.open(file, "x"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("index.json");
    }

    @Test
    void shortNamesMeanDockersRegistry() {
        assertThat(ImageStore.candidates("app")).containsExactly("app", "app:latest", "docker.io/library/app:latest");
        assertThat(ImageStore.candidates("me/app:1")).containsExactly("me/app:1", "docker.io/me/app:1");
        assertThat(ImageStore.candidates("host.example/app"))
                .containsExactly("host.example/app", "host.example/app:latest");
    }

    @Test
    void chainIdsAreThoseOfTheSpecification() {
        Digest a = Digest.sha256(bytes("a"));
        Digest b = Digest.sha256(bytes("b"));
        assertThat(Unpacker.chainId(List.of())).isEmpty();
        assertThat(Unpacker.chainId(List.of(a))).isEqualTo(a.toString());
        assertThat(Unpacker.chainId(List.of(a, b)))
                .isEqualTo(Digest.sha256(bytes(a + " " + b)).toString());
    }
}
