package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stock {@code ctr images}. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CtrImagesIT {

    private static final String BUSYBOX = "docker.io/library/busybox:latest";

    private Suite suite;

    @BeforeAll
    void up() {
        suite = Suite.up();
        suite.importBusybox(BUSYBOX);
    }

    @AfterAll
    void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @Test
    void importedImageIsListedWithItsSizeAndPlatform() {
        String[] row = suite.ctr("images", "ls").ok().row(BUSYBOX);
        assertThat(row[1]).isEqualTo("application/vnd.oci.image.manifest.v1+json");
        assertThat(row[2]).startsWith("sha256:");
        assertThat(String.join(" ", row)).contains("linux/").containsPattern("[KM]iB");
    }

    @Test
    void importedImageIsCompleteAndUnpacked() {
        String[] row = suite.ctr("images", "check").ok().row(BUSYBOX);
        assertThat(String.join(" ", row)).contains("complete (2/2)").endsWith("true");
    }

    @Test
    void checkFindsNothingByAFilterThatMatchesNothing() {
        assertThat(suite.ctr("images", "check", "-q", "name==nobody/nothing:1")
                        .ok()
                        .lines())
                .isEmpty();
        assertThat(suite.ctr("images", "ls", "-q", "name~=busy").ok().lines()).contains(BUSYBOX);
    }

    @Test
    void tagIsASecondNameOfTheSameImage() {
        suite.ctr("images", "tag", BUSYBOX, "docker.io/library/tagged:1").ok();
        Ran listed = suite.ctr("images", "ls").ok();
        assertThat(listed.row("docker.io/library/tagged:1")[2]).isEqualTo(listed.row(BUSYBOX)[2]);

        suite.ctr("images", "tag", BUSYBOX, "docker.io/library/tagged:1").failedWith("already exists");
        suite.ctr("images", "tag", "--force", BUSYBOX, "docker.io/library/tagged:1")
                .ok();
        suite.ctr("images", "rm", "docker.io/library/tagged:1").ok();
        assertThat(suite.ctr("images", "ls", "-q").ok().lines()).doesNotContain("docker.io/library/tagged:1");
    }

    @Test
    void labelsAreSetAndCleared() {
        suite.ctr("images", "tag", BUSYBOX, "docker.io/library/labeled:1").ok();
        suite.ctr("images", "label", "docker.io/library/labeled:1", "color=red", "size=xl")
                .ok();
        assertThat(String.join(" ", suite.ctr("images", "ls").ok().row("docker.io/library/labeled:1")))
                .contains("color=red,size=xl");
        assertThat(suite.ctr("images", "ls", "-q", "labels.color==red").ok().lines())
                .containsExactly("docker.io/library/labeled:1");
        suite.ctr("images", "label", "docker.io/library/labeled:1", "color=").ok();
        assertThat(String.join(" ", suite.ctr("images", "ls").ok().row("docker.io/library/labeled:1")))
                .doesNotContain("color")
                .contains("size=xl");
        suite.ctr("images", "rm", "docker.io/library/labeled:1").ok();
    }

    @Test
    void exportedImageIsReadByOthersAndImportedAgain(@TempDir Path folder) {
        Programs.need("skopeo");
        Path archive = folder.resolve("exported.tar");
        suite.ctr("images", "export", archive.toString(), BUSYBOX).ok();
        Ran inspected = Programs.run(List.of("skopeo", "inspect", "oci-archive:" + archive))
                .ok();
        String digest = suite.ctr("images", "ls").ok().row(BUSYBOX)[2];
        assertThat(inspected.out()).contains(digest);

        suite.ctr("--namespace", "second", "images", "import", archive.toString())
                .ok();
        assertThat(suite.ctr("--namespace", "second", "images", "ls").ok().row(BUSYBOX)[2])
                .isEqualTo(digest);
        suite.ctr("--namespace", "second", "images", "rm", "--sync", BUSYBOX).ok();
        assertThat(suite.ctr("--namespace", "second", "content", "ls", "-q")
                        .ok()
                        .lines())
                .isEmpty();
        assertThat(suite.ctr("images", "check").ok().row(BUSYBOX)).contains("complete");
    }

    @Test
    void archiveOfDockerIsImported(@TempDir Path folder) {
        Programs.need("skopeo");
        Path oci = TestImage.busybox("docker.io/library/docker-made:1");
        Path docker = folder.resolve("docker.tar");
        Programs.run(List.of(
                        "skopeo",
                        "copy",
                        "oci-archive:" + oci,
                        "docker-archive:" + docker + ":docker.io/library/docker-made:1"))
                .ok();
        suite.ctr("images", "import", docker.toString()).ok();
        assertThat(suite.ctr("run", "--rm", "docker.io/library/docker-made:1", "docker-made", "echo", "hello")
                        .ok()
                        .out())
                .isEqualTo("hello\n");
        suite.ctr("images", "rm", "docker.io/library/docker-made:1").ok();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "zstd", "none"})
    void layersAreUnpackedHoweverTheyAreCompressed(String compression) {
        Programs.need("zstd");
        String name = "docker.io/library/compressed-" + compression + ":1";
        suite.ctr("images", "import", TestImage.busybox(name, compression).toString())
                .ok();
        assertThat(suite.ctr("run", "--rm", name, compression, "echo", compression)
                        .ok()
                        .out())
                .isEqualTo(compression + "\n");
        suite.ctr("images", "rm", "--sync", name).ok();
    }

    @Test
    void imageIsConverted() {
        suite.ctr("images", "convert", "--uncompress", BUSYBOX, "docker.io/library/plain:1")
                .ok();
        Ran listed = suite.ctr("images", "ls").ok();
        assertThat(listed.row("docker.io/library/plain:1")[2]).isNotEqualTo(listed.row(BUSYBOX)[2]);
        suite.ctr("images", "rm", "docker.io/library/plain:1").ok();
    }

    @Test
    void laterLayersHideAndReplaceFilesOfEarlierOnes(@TempDir Path folder) throws IOException {
        Programs.need("umoci", "skopeo");
        Path oci = TestImage.busybox("docker.io/library/layers:1");
        Path layout = folder.resolve("layout");
        Programs.run(List.of("skopeo", "copy", "oci-archive:" + oci, "oci:" + layout + ":1"))
                .ok();
        String image = layout + ":1";
        Path first = Files.createDirectories(folder.resolve("first"));
        Files.writeString(first.resolve("kept"), "1");
        Files.writeString(first.resolve("replaced"), "1");
        Files.writeString(first.resolve("removed"), "1");
        Programs.run(List.of("umoci", "insert", "--image", image, first.toString(), "/data"))
                .ok();
        Path replaced = folder.resolve("replaced");
        Files.writeString(replaced, "2");
        Programs.run(List.of("umoci", "insert", "--image", image, replaced.toString(), "/data/replaced"))
                .ok();
        Programs.run(List.of("umoci", "insert", "--image", image, "--whiteout", "/data/removed"))
                .ok();
        Path opaque = Files.createDirectories(folder.resolve("opaque"));
        Files.writeString(opaque.resolve("only"), "4");
        Programs.run(List.of("umoci", "insert", "--image", image, "--opaque", opaque.toString(), "/home"))
                .ok();
        Path archive = TestImage.pack(layout, folder.resolve("layers.tar"));

        suite.ctr("images", "import", "--base-name", "docker.io/library/layers", archive.toString())
                .ok();
        Ran ran = suite.ctr(
                        "run",
                        "--rm",
                        "docker.io/library/layers:1",
                        "layers",
                        "sh",
                        "-c",
                        "cd /data && for f in *; do echo $f=$(cat $f); done; ls /home")
                .ok();
        assertThat(ran.lines()).containsExactly("kept=1", "replaced=2", "only");
        suite.ctr("images", "rm", "--sync", "docker.io/library/layers:1").ok();
    }

    @Test
    void mountedImageShowsItsFilesAndKeepsNoneWrittenToIt(@TempDir Path folder) throws IOException {
        Path target = Files.createDirectory(folder.resolve("mounted"));
        suite.ctr("images", "mount", BUSYBOX, target.toString()).ok();
        try {
            assertThat(target.resolve("bin/busybox")).isExecutable();
            assertThat(Files.readSymbolicLink(target.resolve("bin/sh"))).isEqualTo(Path.of("busybox"));
            assertThat(Programs.run(List.of("touch", target.resolve("new").toString()))
                            .exit())
                    .as("a mount without --rw is read-only")
                    .isNotZero();
        } finally {
            suite.ctr("images", "unmount", "--rm", target.toString()).ok();
        }
        assertThat(target).isEmptyDirectory();

        suite.ctr("images", "mount", "--rw", BUSYBOX, target.toString()).ok();
        Files.writeString(target.resolve("new"), "new");
        suite.ctr("images", "unmount", "--rm", target.toString()).ok();
        assertThat(suite.ctr("snapshots", "ls").ok().rows(target.toString())).isEmpty();
    }

    @Test
    void removalOfAnUnknownImageSaysSo() {
        assertThat(suite.ctr("images", "rm", "nobody/nothing:1").err()).contains("not found");
    }

    @Test
    void truncatedArchiveIsRefused(@TempDir Path folder) throws IOException {
        Path archive = TestImage.busybox("docker.io/library/truncated:1");
        byte[] bytes = Files.readAllBytes(archive);
        Path truncated = folder.resolve("truncated.tar");
        Files.write(truncated, Arrays.copyOf(bytes, bytes.length / 2));
        suite.ctr("images", "import", truncated.toString()).failedWith("EOF");
        assertThat(suite.ctr("images", "ls", "-q").ok().lines()).doesNotContain("docker.io/library/truncated:1");
    }

    @Test
    void blobWithAnotherDigestIsRefused(@TempDir Path folder) throws IOException {
        Programs.need("umoci", "skopeo");
        Path oci = TestImage.busybox("docker.io/library/forged:1");
        Path layout = folder.resolve("layout");
        Programs.run(List.of("skopeo", "copy", "oci-archive:" + oci, "oci:" + layout + ":1"))
                .ok();
        // A layer that nobody has imported: the content of known ones is not read again.
        Set<Path> known = blobs(layout);
        Programs.run(List.of("umoci", "insert", "--image", layout + ":1", oci.toString(), "/new"))
                .ok();
        Path layer = blobs(layout).stream()
                .filter(blob -> !known.contains(blob) && blob.toFile().length() > 10_000)
                .findFirst()
                .orElseThrow();
        byte[] bytes = Files.readAllBytes(layer);
        bytes[bytes.length / 2] ^= 1;
        Files.write(layer, bytes);
        Path archive = TestImage.pack(layout, folder.resolve("forged.tar"));
        suite.ctr("images", "import", "--base-name", "docker.io/library/forged", archive.toString())
                .failedWith("digest");
        assertThat(suite.ctr("content", "ls", "-q").ok().lines()).doesNotContain("sha256:" + layer.getFileName());
    }

    private static Set<Path> blobs(Path layout) throws IOException {
        try (Stream<Path> files = Files.list(layout.resolve("blobs/sha256"))) {
            return files.collect(Collectors.toSet());
        }
    }

    @Test
    void fileThatIsNoArchiveIsRefused(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("no.tar");
        Files.writeString(file, "this is no archive\n".repeat(1000));
        Ran ran = suite.ctr("images", "import", file.toString());
        assertThat(ran.exit()).isNotZero();
    }
}
