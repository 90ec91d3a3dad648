package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code longshore image encrypt} and {@code decrypt}, with skopeo on the other side. */
class ImageEncryptIT {

    private static final String PLAIN = "docker.io/library/plain:1";
    private static final String ENCRYPTED = "docker.io/library/encrypted:1";
    private static final String DECRYPTED = "docker.io/library/decrypted:1";

    private static Suite suite;

    @TempDir
    private Path folder;

    @BeforeAll
    static void up() {
        Programs.need("skopeo", "openssl");
        suite = Suite.up();
    }

    @AfterAll
    static void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @BeforeEach
    void clear() {
        for (String image : suite.ctr("images", "ls", "-q").ok().lines()) {
            suite.ctr("images", "rm", "--sync", image).ok();
        }
        assertThat(blobs()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa", "ec", "jwk", "password", "pkcs7", "pgp"})
    void whatWeEncryptSkopeoReadsAndSoDoWe(String kind) throws IOException {
        Reader reader = Reader.make(kind, folder);
        importPlain("gzip");
        encrypt(reader, PLAIN, ENCRYPTED);
        Descriptor layer = layer(ENCRYPTED);
        assertThat(layer.mediaType()).isEqualTo("application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
        assertThat(layer.digest()).isNotEqualTo(layer(PLAIN).digest());

        Path out = skopeo(export(ENCRYPTED), reader.skopeoKeys(), Map.of());
        assertThat(out.resolve("blobs/sha256/" + layer(PLAIN).digest().hex())).exists();

        decrypt(reader, ENCRYPTED, DECRYPTED).ok();
        assertThat(layer(DECRYPTED)).isEqualTo(layer(PLAIN));
        assertThat(suite.longshore("run", "--rm", DECRYPTED, "/bin/echo", "there")
                        .ok()
                        .out())
                .contains("there");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa", "ec", "jwk", "password", "pkcs7", "pgp"})
    void whatSkopeoEncryptsWeRead(String kind) throws IOException {
        Reader reader = Reader.make(kind, folder);
        Path plain = TestImage.busybox(PLAIN);
        Path layout = skopeo(plain, List.of("--encryption-key", reader.recipient()), reader.environment());
        load(ENCRYPTED, TestImage.pack(layout, folder.resolve("encrypted.tar")));
        assertThat(layer(ENCRYPTED).mediaType()).endsWith("+encrypted");
        decrypt(reader, ENCRYPTED, DECRYPTED).ok();
        load(PLAIN, plain);
        assertThat(layer(DECRYPTED)).isEqualTo(layer(PLAIN));
    }

    @ParameterizedTest
    @CsvSource({"none, ''", "zstd, +zstd"})
    void theCompressionOfALayerStays(String compression, String suffix) throws IOException {
        Reader reader = Reader.make("rsa", folder);
        importPlain(compression);
        encrypt(reader, PLAIN, ENCRYPTED);
        assertThat(layer(ENCRYPTED).mediaType())
                .isEqualTo("application/vnd.oci.image.layer.v1.tar" + suffix + "+encrypted");
        skopeo(export(ENCRYPTED), reader.skopeoKeys(), Map.of());
        decrypt(reader, ENCRYPTED, DECRYPTED).ok();
        assertThat(layer(DECRYPTED)).isEqualTo(layer(PLAIN));
    }

    @Test
    void aReaderMoreLeavesTheLayerAndTheReadersAsTheyAre() throws IOException {
        Reader first = Reader.make("rsa", Files.createDirectory(folder.resolve("first")));
        Reader second = Reader.make("ec", Files.createDirectory(folder.resolve("second")));
        importPlain("gzip");
        encrypt(first, PLAIN, ENCRYPTED);
        String both = "docker.io/library/both:1";
        suite.longshore("image", "encrypt", "--recipient", second.recipient(), ENCRYPTED, both)
                .failedWith("no key fits");
        longshore(List.of("image", "encrypt", "--recipient", second.recipient()), first.ourKeys(), ENCRYPTED, both)
                .ok();
        assertThat(layer(both).digest()).isEqualTo(layer(ENCRYPTED).digest());
        for (Reader reader : List.of(first, second)) {
            skopeo(export(both), reader.skopeoKeys(), Map.of());
            decrypt(reader, both, DECRYPTED).ok();
        }
        decrypt(second, ENCRYPTED, DECRYPTED).failedWith("no key fits");
    }

    @Test
    void anEncryptedImageOutlivesThePlainOneAndTheGarbageCollection() throws IOException {
        Reader reader = Reader.make("rsa", folder);
        importPlain("gzip");
        Descriptor plain = layer(PLAIN);
        encrypt(reader, PLAIN, ENCRYPTED);
        suite.ctr("images", "rm", "--sync", PLAIN).ok();
        assertThat(blobs()).hasSize(3).doesNotContain(plain.digest().toString());
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).isEmpty();
        decrypt(reader, ENCRYPTED, DECRYPTED).ok();
        assertThat(layer(DECRYPTED)).isEqualTo(plain);
    }

    @Test
    void ofAForgedLayerNothingIsStored() throws IOException {
        Reader reader = Reader.make("rsa", folder);
        Path layout =
                skopeo(TestImage.busybox(PLAIN, "none"), List.of("--encryption-key", reader.recipient()), Map.of());
        load(ENCRYPTED, TestImage.pack(ForgedLayout.of(layout), folder.resolve("forged.tar")));
        List<String> before = blobs();
        decrypt(reader, ENCRYPTED, DECRYPTED).failedWith("not what was encrypted");
        assertThat(blobs()).isEqualTo(before);
        assertThat(suite.ctr("content", "active").ok().lines()).hasSize(1);
        assertThat(suite.ctr("images", "ls", "-q").ok().lines()).containsExactly(ENCRYPTED);
    }

    @Test
    void anotherPlatformAndOtherLayersStayAsTheyAre() throws IOException {
        Reader reader = Reader.make("rsa", folder);
        load(PLAIN, twoPlatforms());
        longshore(
                        List.of("image", "encrypt", "--platform", "linux/arm64", "--layer", "-1"),
                        List.of("--recipient", reader.recipient()),
                        PLAIN,
                        ENCRYPTED)
                .ok();
        List<Map<String, Object>> before = Manifests.index(content(target(PLAIN)), PLAIN);
        List<Map<String, Object>> after = Manifests.index(content(target(ENCRYPTED)), ENCRYPTED);
        assertThat(after).hasSize(2);
        assertThat(after.getFirst()).isEqualTo(before.getFirst());
        assertThat(after.getLast().get("platform")).isEqualTo(before.getLast().get("platform"));
        assertThat(layers(Manifests.descriptor(after.getLast()).digest()).stream()
                        .map(Descriptor::mediaType)
                        .toList())
                .satisfiesExactly(
                        low -> assertThat(low).endsWith("tar+gzip"),
                        high -> assertThat(high).endsWith("tar+gzip+encrypted"));
        // Both platforms at once; the layer that they share is encrypted once.
        encrypt(reader, PLAIN, ENCRYPTED);
        List<Descriptor> shared = new ArrayList<>();
        for (Map<String, Object> entry : Manifests.index(content(target(ENCRYPTED)), ENCRYPTED)) {
            shared.addAll(layers(Manifests.descriptor(entry).digest()));
        }
        assertThat(shared).hasSize(4).allMatch(layer -> layer.mediaType().endsWith("+encrypted"));
        assertThat(shared.stream().map(Descriptor::digest).distinct()).hasSize(1);
    }

    @Test
    void whatCannotBeDoneIsSaid() {
        Reader reader = Reader.make("rsa", folder);
        importPlain("gzip");
        String[] encrypt = {"image", "encrypt", "--recipient", reader.recipient()};
        suite.longshore(words(encrypt, "--layer", "7", PLAIN, ENCRYPTED)).failedWith("no layer that this would change");
        suite.longshore(words(encrypt, "--platform", "plan9/mips", PLAIN, ENCRYPTED))
                .failedWith("no layer that this would change");
        suite.longshore(words(encrypt, "--platform", "linux", PLAIN, ENCRYPTED)).failedWith("OS/ARCHITECTURE");
        suite.longshore(words(encrypt, "no/such:image", ENCRYPTED)).failedWith("there is no image no/such:image");
        suite.longshore("image", "encrypt", PLAIN, ENCRYPTED)
                .failedWith("--recipient")
                .exitedWith(2);
        suite.longshore("image", "encrypt", "--recipient", "alice", PLAIN, ENCRYPTED)
                .failedWith("none of jwe:FILE");
        decrypt(reader, PLAIN, DECRYPTED).failedWith("no layer that this would change");
        assertThat(suite.ctr("images", "ls", "-q").ok().lines()).containsExactly(PLAIN);
    }

    private static String[] words(String[] first, String... then) {
        return Stream.concat(Stream.of(first), Stream.of(then)).toArray(String[]::new);
    }

    private static Ran longshore(List<String> options, List<String> more, String source, String destination) {
        List<String> words = new ArrayList<>(options);
        words.addAll(more);
        words.add(source);
        words.add(destination);
        return suite.longshore(words.toArray(String[]::new));
    }

    private static void encrypt(Reader reader, String source, String destination) {
        longshore(
                        List.of("image", "encrypt", "--recipient", reader.recipient()),
                        reader.encryptOptions(),
                        source,
                        destination)
                .ok();
    }

    private static Ran decrypt(Reader reader, String source, String destination) {
        return longshore(List.of("image", "decrypt"), reader.ourKeys(), source, destination);
    }

    private static void importPlain(String compression) {
        load(PLAIN, TestImage.busybox(PLAIN, compression));
    }

    private static void load(String name, Path archive) {
        suite.longshore("image", "import", "--no-unpack", "--name", name, archive.toString())
                .ok();
    }

    private Path export(String image) {
        Path archive = folder.resolve("export.tar");
        suite.ctr("images", "export", archive.toString(), image).ok();
        return archive;
    }

    /** Has skopeo copy an archive to a new layout. */
    private Path skopeo(Path archive, List<String> options, Map<String, String> environment) throws IOException {
        Path layout = Files.createTempDirectory(folder, "layout");
        List<String> command = new ArrayList<>(List.of("skopeo", "copy"));
        command.addAll(options);
        command.add("oci-archive:" + archive);
        command.add("oci:" + layout + ":1");
        Programs.run(command, "", environment).ok();
        return layout;
    }

    private static List<String> blobs() {
        return suite.ctr("content", "ls", "-q").ok().lines();
    }

    private static byte[] content(Digest digest) {
        return suite.ctr("content", "get", digest.toString()).ok().out().getBytes(StandardCharsets.UTF_8);
    }

    private static Digest target(String image) {
        return Digest.parse(suite.ctr("images", "ls").ok().row(image)[2]);
    }

    private static Descriptor layer(String image) {
        List<Descriptor> layers = layers(target(image));
        assertThat(layers).hasSize(1);
        return layers.getFirst();
    }

    private static List<Descriptor> layers(Digest manifest) {
        return Manifests.manifest(content(manifest), manifest.toString()).layers();
    }

    /** An image for two platforms, of one layer twice. */
    private Path twoPlatforms() throws IOException {
        Path layout = skopeo(TestImage.busybox(PLAIN), List.of(), Map.of());
        Path blobs = layout.resolve("blobs/sha256");
        Path index = layout.resolve("index.json");
        Map<String, Object> top = new LinkedHashMap<>(Json.object(Files.readAllBytes(index), "index"));
        Descriptor only = Manifests.descriptor(Json.objects(top, "manifests").getFirst());
        Map<String, Object> manifest =
                Json.object(Files.readAllBytes(blobs.resolve(only.digest().hex())), "manifest");
        Map<String, Object> config = Json.object(
                Files.readAllBytes(blobs.resolve(Manifests.descriptor(Json.object(manifest, "config"))
                        .digest()
                        .hex())),
                "config");
        Map<String, Object> layer = Json.objects(manifest, "layers").getFirst();
        String diffId = Json.strings(Json.object(config, "rootfs"), "diff_ids").getFirst();
        List<Map<String, Object>> entries = new ArrayList<>();
        for (String architecture : List.of("amd64", "arm64")) {
            Map<String, Object> own = new LinkedHashMap<>(config);
            own.put("architecture", architecture);
            own.put("rootfs", Map.of("type", "layers", "diff_ids", List.of(diffId, diffId)));
            Map<String, Object> image = new LinkedHashMap<>(manifest);
            image.put("config", blob(blobs, "application/vnd.oci.image.config.v1+json", own));
            image.put("layers", List.of(layer, layer));
            Map<String, Object> entry =
                    new LinkedHashMap<>(blob(blobs, "application/vnd.oci.image.manifest.v1+json", image));
            entry.put("platform", Map.of("os", "linux", "architecture", architecture));
            entries.add(entry);
        }
        Map<String, Object> both = new LinkedHashMap<>(blob(
                blobs,
                "application/vnd.oci.image.index.v1+json",
                Map.of(
                        "schemaVersion",
                        2,
                        "mediaType",
                        "application/vnd.oci.image.index.v1+json",
                        "manifests",
                        entries)));
        both.put("annotations", Map.of("org.opencontainers.image.ref.name", PLAIN));
        top.put("manifests", List.of(both));
        Files.write(index, Json.bytes(top));
        return TestImage.pack(layout, folder.resolve("two.tar"));
    }

    private static Map<String, Object> blob(Path blobs, String mediaType, Map<String, Object> document)
            throws IOException {
        byte[] bytes = Json.bytes(document);
        Digest digest = Digest.sha256(bytes);
        Files.write(blobs.resolve(digest.hex()), bytes);
        return Map.of("mediaType", mediaType, "digest", digest.toString(), "size", bytes.length);
    }
}
