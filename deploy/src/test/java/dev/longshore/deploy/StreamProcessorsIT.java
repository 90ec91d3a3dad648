package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
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

    @SuppressWarnings("NullAway.Init") // up once it is configured
    private Suite suite;

    @BeforeEach
    void up() throws IOException {
        Programs.need("skopeo", "openssl");
        keys = Files.createDirectory(folder.resolve("keys"));
    }

    @AfterEach
    void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa", "ec", "jwk", "pgp", "pkcs7"})
    void anImageThatSkopeoHasEncryptedRuns(String kind) throws IOException {
        Reader reader = Reader.make(kind, keys);
        configure(keys);
        importEncrypted(reader);
        Ran ran =
                suite.longshore("run", "--rm", IMAGE, "/bin/echo", "decrypted").ok();
        assertThat(ran.out()).contains("decrypted");
    }

    @Test
    void ctrThatKnowsNothingOfEncryptionUnpacksAndRunsIt() throws IOException {
        configure(keys);
        Path archive = encrypted(Reader.make("rsa", keys));
        suite.ctr("images", "import", "--base-name", "docker.io/library/secret", archive.toString())
                .ok();
        assertThat(suite.ctr("run", "--rm", IMAGE, "c1", "/bin/echo", "decrypted")
                        .ok()
                        .out())
                .contains("decrypted");
    }

    @Test
    void aKeyThatDoesNotFitIsNamedAndNothingIsUnpacked() throws IOException {
        Path others = Files.createDirectory(folder.resolve("others"));
        Reader.make("rsa", others);
        configure(others);
        importEncrypted(Reader.make("rsa", keys));
        suite.longshore("image", "unpack", IMAGE).failedWith("no key fits");
        assertNoSnapshots();
    }

    /** One bit of the layer, which is a plain tar: what comes out of the cipher is a whole archive with another file in it. */
    @Test
    void aTamperedLayerIsRefusedAndNothingIsUnpacked() throws IOException {
        configure(keys);
        Path forged = ForgedLayout.of(layout(Reader.make("rsa", keys), "none"));
        Path archive = TestImage.pack(forged, folder.resolve("forged.tar"));
        suite.longshore("image", "import", "--no-unpack", "--name", IMAGE, archive.toString())
                .ok();
        suite.longshore("image", "unpack", IMAGE).failedWith("not what was encrypted");
        assertNoSnapshots();
        suite.ctr(
                        "images",
                        "mount",
                        IMAGE,
                        Files.createDirectory(folder.resolve("mnt")).toString())
                .failedWith("");
        assertNoSnapshots();
    }

    @Test
    void aLayerThatHasChangedInTheStoreIsRefusedAndNothingIsUnpacked() throws IOException {
        configure(keys);
        Path layout = layout(Reader.make("rsa", keys), "none");
        Path archive = TestImage.pack(layout, folder.resolve("encrypted.tar"));
        suite.longshore("image", "import", "--no-unpack", "--name", IMAGE, archive.toString())
                .ok();
        Path stored;
        try (Stream<Path> files = Files.walk(suite.root())) {
            stored = files.filter(Files::isRegularFile)
                    .filter(file -> file.toString().contains("/blobs/sha256/"))
                    .max(Comparator.comparingLong(file -> file.toFile().length()))
                    .orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(stored);
        bytes[bytes.length / 2] ^= 1;
        Files.write(stored, bytes);
        suite.longshore("image", "unpack", IMAGE).failedWith("not what was encrypted");
        assertNoSnapshots();
    }

    @Test
    void withoutAPayloadTheDecoderSaysSo() {
        String decoder = Suite.distribution().resolve("bin/ctd-decoder").toString();
        Programs.run(List.of("sh", "-c", "\"$0\" 3<&-", decoder)).failedWith("no payload on descriptor 3");
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
                    encrypted(Reader.make("rsa", keys)).toString());
            imported.ok();
            assertThat(imported.out()).contains(IMAGE);
            assertThat(ctr(address, "snapshots", "ls").ok().lines()).anyMatch(line -> line.contains("Committed"));
        }
    }

    @Test
    void stockContainerdExpandsZstdWithOurProgramByItsConfigurationAlone() throws IOException {
        Programs.need("containerd", "zstd");
        Path used = folder.resolve("used");
        Path root = Files.createDirectory(folder.resolve("stock"));
        Path address = root.resolve("containerd.sock");
        try (StockContainerd stock = new StockContainerd(root, address, "containerd", List.of(), List.of(), false)) {
            // It has zstd built in: the file shows that it is not that.
            stock.configure("""
                    [stream_processors."zstd"]
                    accepts = ["application/vnd.oci.image.layer.v1.tar+zstd"]
                    returns = "application/vnd.oci.image.layer.v1.tar"
                    path = "sh"
                    args = ["-c", "touch '%s'; exec '%s'"]
                    """.formatted(used, Suite.distribution().resolve("bin/longshore-stream-zstd")));
            stock.start();
            ctr(address, "images", "import", TestImage.busybox(IMAGE, "zstd").toString())
                    .ok();
            assertThat(used).exists();
            assertThat(ctr(address, "snapshots", "ls").ok().lines()).anyMatch(line -> line.contains("Committed"));
        }
    }

    /** Once it answers. */
    private static Ran ctr(Path address, String... arguments) {
        List<String> command = List.of("ctr", "--address", address.toString());
        await().atMost(Programs.PATIENCE)
                .until(() -> Programs.run(Stream.concat(command.stream(), Stream.of("version"))
                                        .toList())
                                .exit()
                        == 0);
        return Programs.run(
                Stream.concat(command.stream(), Stream.of(arguments)).toList());
    }

    private static Ran client(Path address, String... arguments) {
        ctr(address, "version").ok();
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

    /** Brings up a suite whose daemon has this in its configuration besides. */
    private void configure(String more) throws IOException {
        suite = Suite.up();
        Path file = suite.root().resolve("config.toml");
        Files.writeString(file, Files.readString(file) + "\n" + more);
        suite.kill("longshored");
        suite.start();
    }

    private Path layout(Reader reader, String compression) {
        Path plain = TestImage.busybox("docker.io/library/plain:1", compression);
        Path layout = folder.resolve("layout");
        Programs.run(
                        List.of(
                                "skopeo",
                                "copy",
                                "--encryption-key",
                                reader.recipient(),
                                "oci-archive:" + plain,
                                "oci:" + layout + ":1"),
                        "",
                        reader.environment())
                .ok();
        return layout;
    }

    private Path encrypted(Reader reader) {
        return TestImage.pack(layout(reader, "gzip"), folder.resolve("encrypted.tar"));
    }

    private void importEncrypted(Reader reader) {
        suite.longshore(
                        "image",
                        "import",
                        "--no-unpack",
                        "--name",
                        IMAGE,
                        encrypted(reader).toString())
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
}
