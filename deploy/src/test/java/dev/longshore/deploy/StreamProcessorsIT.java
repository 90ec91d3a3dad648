package dev.longshore.deploy;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images, made by skopeo, on our daemon and on containerd, with our programs; and programs of others on our daemon. */
class StreamProcessorsIT {

    private static final String IMAGE = "docker.io/library/secret:1";

    @TempDir
    private Path folder;

    private Path keys;
    private Path gpgHome = Path.of("/nonexistent");
    private Suite suite;

    @BeforeEach
    void up() throws IOException {
        Programs.need("skopeo", "openssl");
        suite = Suite.up();
        keys = Files.createDirectory(folder.resolve("keys"));
    }

    @AfterEach
    void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa", "ec", "pgp", "pkcs7"})
    void anImageThatSkopeoHasEncryptedRuns(String kind) throws IOException {
        String recipient = recipient(kind);
        configure(keys);
        importEncrypted(recipient);
        Ran ran =
                suite.longshore("run", "--rm", IMAGE, "/bin/echo", "decrypted").ok();
        assertThat(ran.out()).contains("decrypted");
    }

    @Test
    void ctrThatKnowsNothingOfEncryptionUnpacksAndRunsIt() throws IOException {
        configure(keys);
        Path archive = encrypted(recipient("rsa"));
        suite.ctr("images", "import", "--base-name", "docker.io/library/secret", archive.toString())
                .ok();
        assertThat(suite.ctr("run", "--rm", IMAGE, "c1", "/bin/echo", "decrypted")
                        .ok()
                        .out())
                .contains("decrypted");
    }

    @Test
    void aKeyThatDoesNotFitIsNamedAndNothingIsUnpacked() throws IOException {
        String recipient = recipient("rsa");
        Path others = Files.createDirectory(folder.resolve("others"));
        openssl("genrsa", "-out", others.resolve("key.pem").toString(), "2048");
        configure(others);
        importEncrypted(recipient);
        suite.longshore("image", "unpack", IMAGE).failedWith("no key fits");
        assertNoSnapshots();
    }

    @Test
    void aTamperedLayerIsRefusedAndNothingIsUnpacked() throws IOException {
        configure(keys);
        Path layout = layout(recipient("rsa"));
        // The layer's authentication code, which its manifest has: flipping a bit of either is the same to a reader.
        Path manifest = manifest(layout);
        String text = Files.readString(manifest);
        int options = text.indexOf("org.opencontainers.image.enc.pubopts\":\"") + 39;
        String encoded = text.substring(options, text.indexOf('"', options));
        String decoded = new String(Base64.getDecoder().decode(encoded), UTF_8);
        int code = decoded.indexOf("\"hmac\":\"") + 8;
        String forged =
                decoded.substring(0, code) + (decoded.charAt(code) == 'A' ? 'B' : 'A') + decoded.substring(code + 1);
        String encodedForged = Base64.getEncoder().encodeToString(forged.getBytes(UTF_8));
        replaceManifest(layout, manifest, text.replace(encoded, encodedForged));
        Path archive = TestImage.pack(layout, folder.resolve("forged.tar"));
        suite.longshore("image", "import", "--no-unpack", "--name", IMAGE, archive.toString())
                .ok();
        suite.longshore("image", "unpack", IMAGE).failedWith("not what was encrypted");
        assertNoSnapshots();
    }

    @Test
    void theProgramZstdWorksByTheTalksConfiguration() throws IOException {
        Programs.need("zstd");
        configure("""
                [stream_processors."zstd"]
                accepts = ["application/vnd.oci.image.layer.v1.tar+zstd"]
                returns = "application/vnd.oci.image.layer.v1.tar"
                path = "zstd"
                args = ["-dcf"]
                """);
        importZstd();
        assertThat(suite.longshore("run", "--rm", IMAGE, "/bin/echo", "there")
                        .ok()
                        .out())
                .contains("there");
    }

    @Test
    void ourProgramsWorkInPlaceOfWhatIsBuiltIn() throws IOException {
        Path bin = Suite.distribution().resolve("bin");
        configure("""
                [stream_processors."gzip"]
                accepts = ["application/vnd.oci.image.layer.v1.tar+gzip"]
                returns = "application/vnd.oci.image.layer.v1.tar"
                path = "%1$s/longshore-stream-gzip"
                [stream_processors."zstd"]
                accepts = ["application/vnd.oci.image.layer.v1.tar+zstd"]
                returns = "application/vnd.oci.image.layer.v1.tar"
                path = "%1$s/longshore-stream-zstd"
                """.formatted(bin));
        importZstd();
        suite.importBusybox("docker.io/library/zipped:1");
        for (String image : List.of(IMAGE, "docker.io/library/zipped:1")) {
            assertThat(suite.longshore("run", "--rm", image, "/bin/echo", "there")
                            .ok()
                            .out())
                    .contains("there");
        }
    }

    @Test
    void stockContainerdDecryptsWithOurDecoderByItsConfigurationAlone() throws IOException {
        Programs.need("containerd");
        String recipient = recipient("rsa");
        Path root = Files.createDirectory(folder.resolve("stock"));
        Path address = root.resolve("containerd.sock");
        try (StockContainerd stock = new StockContainerd(
                root, address, "containerd", List.of(Suite.distribution().resolve("bin")), List.of(), false)) {
            stock.configure(decoders("ctd-decoder", keys));
            stock.start();
            Ran imported = client(
                    address,
                    "image",
                    "import",
                    "--name",
                    IMAGE,
                    encrypted(recipient).toString());
            imported.ok();
            assertThat(imported.out()).contains(IMAGE);
            assertThat(Programs.run(List.of("ctr", "--address", address.toString(), "snapshots", "ls"))
                            .ok()
                            .lines())
                    .anyMatch(line -> line.contains("Committed"));
        }
    }

    private static Ran client(Path address, String... arguments) {
        await().atMost(Programs.PATIENCE)
                .until(() -> Programs.run(List.of("ctr", "--address", address.toString(), "version"))
                                .exit()
                        == 0);
        Stream<String> words = Stream.concat(
                Stream.of(Suite.distribution().resolve("bin/longshore").toString(), "--address", address.toString()),
                Stream.of(arguments));
        return Programs.run(words.toList());
    }

    private void assertNoSnapshots() {
        assertThat(suite.ctr("snapshots", "ls").ok().lines())
                .noneMatch(line -> line.contains("Committed") || line.contains("Active"));
    }

    private static String decoders(String program, Path keyFolder) {
        StringBuilder config = new StringBuilder();
        for (String suffix : List.of("", "gzip", "zstd")) {
            String type = "application/vnd.oci.image.layer.v1.tar" + (suffix.isEmpty() ? "" : "+" + suffix);
            config.append("""
                    [stream_processors."io.containerd.ocicrypt.decoder.v1.tar%s"]
                    accepts = ["%s+encrypted"]
                    returns = "%s"
                    path = "%s"
                    args = ["--decryption-keys-path", "%s"]
                    """.formatted(suffix.isEmpty() ? "" : "." + suffix, type, type, program, keyFolder));
        }
        return config.toString();
    }

    private void configure(Path keyFolder) throws IOException {
        configure(decoders("ctd-decoder", keyFolder));
    }

    /** Adds to the daemon's configuration, and restarts it. */
    private void configure(String more) throws IOException {
        Path file = suite.root().resolve("config.toml");
        Files.writeString(file, Files.readString(file) + "\n" + more);
        suite.kill("longshored");
        suite.start();
    }

    private static void openssl(String... arguments) {
        Programs.run(Stream.concat(Stream.of("openssl"), Stream.of(arguments)).toList())
                .ok();
    }

    /** Makes a key in {@link #keys}, and says how skopeo is to name who has it. */
    private String recipient(String kind) throws IOException {
        Path key = keys.resolve("key.pem");
        Path given = folder.resolve("public.pem");
        switch (kind) {
            case "rsa" -> openssl("genrsa", "-out", key.toString(), "2048");
            case "ec" ->
                openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key.toString());
            case "pkcs7" -> {
                openssl(
                        "req",
                        "-x509",
                        "-newkey",
                        "rsa:2048",
                        "-nodes",
                        "-subj",
                        "/CN=reader",
                        "-days",
                        "2",
                        "-keyout",
                        key.toString(),
                        "-out",
                        keys.resolve("cert.pem").toString());
                return "pkcs7:" + keys.resolve("cert.pem");
            }
            default -> {
                Programs.need("gpg");
                // Short: gpg's agent has its socket there.
                Path home = Files.createTempDirectory("gpg");
                gpg(home, "--quick-gen-key", "Reader <reader@example.com>", "rsa2048", "encr", "never");
                gpg(home, "--output", keys.resolve("secret.gpg").toString(), "--export-secret-keys");
                gpgHome = home;
                return "pgp:reader@example.com";
            }
        }
        openssl("pkey", "-in", key.toString(), "-pubout", "-out", given.toString());
        return "jwe:" + given;
    }

    private static void gpg(Path home, String... arguments) {
        Programs.run(Stream.concat(
                                Stream.of(
                                        "gpg",
                                        "--homedir",
                                        home.toString(),
                                        "--batch",
                                        "--yes",
                                        "--pinentry-mode",
                                        "loopback",
                                        "--passphrase",
                                        ""),
                                Stream.of(arguments))
                        .toList())
                .ok();
    }

    private Path layout(String recipient) {
        Path plain = TestImage.busybox("docker.io/library/plain:1");
        Path layout = folder.resolve("layout");
        Programs.run(
                        List.of(
                                "skopeo",
                                "copy",
                                "--encryption-key",
                                recipient,
                                "oci-archive:" + plain,
                                "oci:" + layout + ":1"),
                        "",
                        Map.of("GNUPGHOME", gpgHome.toString()))
                .ok();
        return layout;
    }

    private Path encrypted(String recipient) {
        return TestImage.pack(layout(recipient), folder.resolve("encrypted.tar"));
    }

    private void importEncrypted(String recipient) {
        suite.longshore(
                        "image",
                        "import",
                        "--no-unpack",
                        "--name",
                        IMAGE,
                        encrypted(recipient).toString())
                .ok();
    }

    private void importZstd() {
        suite.longshore(
                        "image",
                        "import",
                        "--name",
                        IMAGE,
                        TestImage.busybox(IMAGE, "zstd").toString())
                .ok();
    }

    private static Path manifest(Path layout) throws IOException {
        String index = Files.readString(layout.resolve("index.json"));
        int digest = index.indexOf("sha256:") + 7;
        return layout.resolve("blobs/sha256/" + index.substring(digest, digest + 64));
    }

    private static void replaceManifest(Path layout, Path manifest, String text) throws IOException {
        Files.delete(manifest);
        Path written = Files.writeString(layout.resolve("new"), text);
        String digest = Programs.run(List.of("sha256sum", written.toString()))
                .ok()
                .out()
                .substring(0, 64);
        Files.move(written, manifest.resolveSibling(digest));
        Path index = layout.resolve("index.json");
        Files.writeString(
                index, Files.readString(index).replace(manifest.getFileName().toString(), digest));
    }
}
