package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.estargz.Annotations;
import dev.longshore.estargz.BlobReader;
import dev.longshore.estargz.EntryType;
import dev.longshore.estargz.Footer;
import dev.longshore.estargz.Landmarks;
import dev.longshore.estargz.TocEntry;
import dev.longshore.estargz.TocLimits;
import dev.longshore.estargz.TocReader;
import dev.longshore.estargz.TocVerification;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.testkit.RegistryProcess;
import dev.longshore.testkit.RegistryProcess.Access;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images that are pulled lazily are made of others by {@code longshore}, and are images like any other where nobody is lazy. */
class LazyImagesIT {

    private static final String BUSYBOX = "docker.io/library/busybox:1";

    @TempDir
    private Path folder;

    private Suite suite;

    @BeforeEach
    void up() {
        suite = Suite.up();
    }

    @AfterEach
    void down() {
        suite.close();
    }

    /** The first manifest and the layer's TOC, read from the daemon's store. */
    private record Read(Descriptor layer, List<TocEntry> entries) {

        long offset(String name) {
            return entry(name).offset();
        }

        TocEntry entry(String name) {
            return entries.stream()
                    .filter(entry -> entry.name().equals(name) && entry.type() != EntryType.CHUNK)
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(name + " is not in the TOC"));
        }
    }

    private byte[] content(String digest) throws IOException {
        Path file = folder.resolve("content");
        Programs.run(List.of(
                        "sh",
                        "-c",
                        "ctr --address \"$1\" content get \"$2\" > \"$3\"",
                        "sh",
                        suite.address().toString(),
                        digest,
                        file.toString()))
                .ok();
        return Files.readAllBytes(file);
    }

    private Read read(String image) throws IOException {
        String target = suite.ctr("images", "ls").ok().row(image)[2];
        byte[] document = content(target);
        if (Json.object(document, target).containsKey("manifests")) {
            document = content(
                    Manifests.descriptor(Manifests.index(document, target).getFirst())
                            .digest()
                            .toString());
        }
        Manifests.Manifest manifest = Manifests.manifest(document, target);
        Descriptor layer = manifest.layers().getLast();
        byte[] bytes = content(layer.digest().toString());
        BlobReader blob = new BlobReader() {
            @Override
            public long size() {
                return bytes.length;
            }

            @Override
            public void readFully(long offset, ByteBuffer to) {
                to.put(bytes, (int) offset, to.remaining());
            }
        };
        List<TocEntry> entries = new ArrayList<>();
        new TocReader(TocLimits.DEFAULT)
                .read(blob, Footer.read(blob).orElseThrow(), TocVerification.of(layer.annotations()), entries::add);
        return new Read(layer, entries);
    }

    @ParameterizedTest
    @CsvSource({"--estargz, " + MediaTypes.OCI_LAYER_GZIP, "--zstd-chunked, " + MediaTypes.OCI_LAYER_ZSTD})
    void convertedImageIsReadByItsTocAndRunsLikeAnyOther(String format, String mediaType) throws IOException {
        suite.importBusybox(BUSYBOX);
        suite.longshore("image", "convert", format, "--chunk-size", "64k", BUSYBOX, "example.com/lazy:1")
                .ok();
        Read read = read("example.com/lazy:1");
        assertThat(read.layer().mediaType()).isEqualTo(mediaType);
        assertThat(read.layer().annotations()).containsKeys(Annotations.TOC_DIGEST, Annotations.UNCOMPRESSED_SIZE);
        assertThat(read.entries()).extracting(TocEntry::name).contains(Landmarks.NO_PREFETCH);
        assertThat(read.entries()).extracting(TocEntry::type).contains(EntryType.CHUNK);
        // The layer is unpacked, which checks its digest against the new configuration.
        assertThat(suite.longshore("run", "--rm", "example.com/lazy:1", "echo", "it runs")
                        .ok()
                        .out())
                .isEqualTo("it runs\n");
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).isEmpty();
    }

    @Test
    void sameImageMakesTheSameBytes() throws IOException {
        suite.importBusybox(BUSYBOX);
        suite.longshore("image", "convert", "--estargz", BUSYBOX, "example.com/lazy:1")
                .ok();
        suite.longshore("image", "convert", "--estargz", BUSYBOX, "example.com/lazy:2")
                .ok();
        assertThat(read("example.com/lazy:2").layer())
                .isEqualTo(read("example.com/lazy:1").layer());
    }

    @Test
    void convertedImageGoesThroughARegistryWithItsAnnotations() throws IOException {
        try (RegistryProcess registry =
                RegistryProcess.start(Files.createDirectories(folder.resolve("registry")), false, Access.EVERYBODY)) {
            String name = registry.host() + "/lazy:1";
            suite.importBusybox(BUSYBOX);
            suite.longshore("image", "convert", BUSYBOX, name).ok();
            Descriptor before = read(name).layer();
            suite.longshore("push", name).ok();
            suite.ctr("images", "rm", "--sync", name, BUSYBOX).ok();
            suite.longshore("pull", name).ok();
            assertThat(read(name).layer()).isEqualTo(before);
            assertThat(suite.longshore("run", "--rm", name, "true").exit()).isZero();
        }
    }

    @Test
    void whatCannotBeIsSaid() {
        suite.importBusybox(BUSYBOX);
        suite.longshore("image", "convert", "--estargz", "--zstd-chunked", BUSYBOX, "x:1")
                .failedWith("not both");
        suite.longshore("image", "convert", "--level", "10", BUSYBOX, "x:1").failedWith("from 1 to 9");
        suite.longshore("image", "convert", "--chunk-size", "1g", BUSYBOX, "x:1")
                .failedWith("--chunk-size 1g");
        suite.longshore("image", "convert", "not-there", "x:1").failedWith("there is no image");
        suite.longshore("image", "optimize", "--period", "soon", BUSYBOX, "x:1").failedWith("--period soon");
        suite.longshore("image", "optimize", BUSYBOX, "x:1", "--", "/not/there").failedWith("/not/there");
        assertThat(suite.ctr("containers", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).isEmpty();
    }

    @Test
    void whatAProgramUsesComesFirst() throws IOException {
        PythonImage.importTo(suite, folder, "docker.io/library/python:1");
        suite.longshore(
                        "image",
                        "optimize",
                        "docker.io/library/python:1",
                        "example.com/python:1",
                        "--",
                        "/usr/bin/python3",
                        "-c",
                        "import json; print(json.dumps([1]))")
                .ok();
        Read read = read("example.com/python:1");
        long landmark = read.offset(Landmarks.PREFETCH);
        String library = read.entries().stream()
                .map(TocEntry::name)
                .filter(name -> name.endsWith("/json/decoder.py") || name.contains("/json/__pycache__/decoder."))
                .filter(name -> read.offset(name) < landmark)
                .findFirst()
                .orElseThrow(() -> new AssertionError("json's decoder does not come before the landmark"));
        String interpreter = read.entries().stream()
                .map(TocEntry::name)
                .filter(name -> name.matches("\\./usr/bin/python3\\.[0-9]+"))
                .findFirst()
                .orElseThrow();
        // In the order of their use, which is none that a name has.
        assertThat(read.offset(interpreter)).isLessThan(read.offset(library));
        assertThat(read.entries().indexOf(read.entry("./usr/bin/")))
                .isLessThan(read.entries().indexOf(read.entry(interpreter)));
        assertThat(read.entries().stream()
                        .filter(entry -> entry.name().contains("/tkinter/")
                                || entry.name().contains("/asyncio/"))
                        .filter(entry -> entry.type() == EntryType.REG && entry.size() > 0))
                .as("what is not used")
                .isNotEmpty()
                .allSatisfy(entry -> assertThat(entry.offset()).isGreaterThan(landmark));
        assertThat(landmark).isLessThan(read.layer().size() / 2);
        assertThat(suite.longshore("run", "--rm", "example.com/python:1", "/usr/bin/python3", "-c", "print(6*7)")
                        .ok()
                        .out())
                .isEqualTo("42\n");
        assertThat(suite.ctr("containers", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("snapshots", "ls").ok().out()).doesNotContain("optimize-");
    }

    @Test
    void programThatDoesNotEndIsEndedWhenItsTimeIsOver() throws IOException {
        suite.importBusybox(BUSYBOX);
        suite.longshore("image", "optimize", "--period", "2s", BUSYBOX, "example.com/lazy:1", "--", "/bin/sleep", "600")
                .ok();
        Read read = read("example.com/lazy:1");
        assertThat(read.entries()).extracting(TocEntry::name).contains(Landmarks.PREFETCH);
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).isEmpty();
    }
}
