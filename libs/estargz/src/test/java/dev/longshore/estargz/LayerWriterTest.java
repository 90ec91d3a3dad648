package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LayerWriterTest {

    private static final int CHUNK = 1024;

    @TempDir
    Path folder;

    private record Written(WrittenLayer layer, BytesReader blob) {
        ReadLayer read() throws IOException {
            return ReadLayer.of(blob, layer.annotations());
        }

        byte[] bytes() {
            return blob.bytes();
        }
    }

    /** What goes into an archive by hand. */
    private static final class Archive {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final TarWriter tar = new TarWriter(bytes);

        Archive add(TarEntry entry) throws IOException {
            tar.write(entry);
            return this;
        }

        Archive file(TarEntry.Builder entry, byte[] content) throws IOException {
            tar.write(entry.size(content.length).build());
            tar.content(content, 0, content.length);
            tar.endContent(content.length);
            return this;
        }

        Archive file(String name, String content) throws IOException {
            return file(entry(dev.longshore.sdk.tar.EntryType.FILE, name), content.getBytes(StandardCharsets.UTF_8));
        }

        byte[] end() throws IOException {
            tar.close();
            return bytes.toByteArray();
        }
    }

    private static TarEntry.Builder entry(dev.longshore.sdk.tar.EntryType type, String name) {
        return TarEntry.builder(type, ByteStrings.of(name));
    }

    private static LayerOptions options(int threads, String... prioritized) {
        return new LayerOptions(CHUNK, 3, List.of(prioritized), threads);
    }

    private Written write(LayerFormat format, LayerOptions options, byte[] tar) throws IOException {
        Path file = folder.resolve("layer.tar");
        Files.write(file, tar);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (FileChannel archive = FileChannel.open(file)) {
            WrittenLayer layer = new LayerWriter(format, options).write(archive, out);
            return new Written(layer, new BytesReader(out.toByteArray()));
        }
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    private static byte[] everything() throws IOException {
        return new Archive()
                .add(entry(dev.longshore.sdk.tar.EntryType.DIRECTORY, "./bin/")
                        .ownerNames("root", "root")
                        .build())
                .file(
                        entry(dev.longshore.sdk.tar.EntryType.FILE, "./bin/tool")
                                .mode(04755)
                                .ownerNames("root", "root")
                                .modified(Instant.ofEpochSecond(1_700_000_000, 5_000)),
                        random(3 * CHUNK + 7))
                .add(entry(dev.longshore.sdk.tar.EntryType.HARD_LINK, "./bin/again")
                        .linkName("./bin/tool")
                        .build())
                .add(entry(dev.longshore.sdk.tar.EntryType.SYMLINK, "./bin/sh")
                        .linkName("tool")
                        .build())
                .add(entry(dev.longshore.sdk.tar.EntryType.BLOCK_DEVICE, "./dev/disk")
                        .device(259, 70_000)
                        .build())
                .add(entry(dev.longshore.sdk.tar.EntryType.FIFO, "./run/pipe").build())
                .file("./etc/empty", "")
                .file(
                        entry(dev.longshore.sdk.tar.EntryType.FILE, "./etc/attr")
                                .owner(1000, 3_000_000_000L)
                                .xattr("user.binary", "a\u00ff\u0000"),
                        random(20))
                .file("./etc/grüße.txt", "grüße")
                .file("./exact", "x".repeat(CHUNK))
                .end();
    }

    private static void checkEverything(ReadLayer layer) throws IOException {
        assertThat(layer.content("./bin/tool")).isEqualTo(random(3 * CHUNK + 7));
        assertThat(layer.entry("./bin/tool")).satisfies(tool -> {
            assertThat(tool.mode()).isEqualTo(04755);
            assertThat(tool.modTime()).isEqualTo(Instant.ofEpochSecond(1_700_000_000, 5_000));
            assertThat(tool.digest()).contains(Digest.sha256(random(3 * CHUNK + 7)));
        });
        assertThat(layer.entry("./bin/again").linkName()).isEqualTo("./bin/tool");
        assertThat(layer.entry("./bin/sh").linkName()).isEqualTo("tool");
        assertThat(layer.entry("./dev/disk").devMinor()).isEqualTo(70_000);
        assertThat(layer.entry("./run/pipe").type()).isEqualTo(EntryType.FIFO);
        assertThat(layer.content("./etc/empty")).isEmpty();
        assertThat(layer.content("./etc/attr")).isEqualTo(random(20));
        assertThat(Integer.toUnsignedLong(layer.entry("./etc/attr").gid())).isEqualTo(3_000_000_000L);
        assertThat(layer.entry("./etc/attr").xattrs().get("user.binary")).isEqualTo(new byte[] {'a', (byte) 0xff, 0});
        assertThat(new String(layer.content("./etc/grüße.txt"), StandardCharsets.UTF_8))
                .isEqualTo("grüße");
        assertThat(layer.content("./exact")).hasSize(CHUNK).containsOnly('x');
        assertThat(layer.content(Landmarks.NO_PREFETCH)).containsExactly(0xf);
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTARGZ", "ZSTD_CHUNKED"})
    void whatIsWrittenIsRead(LayerFormat format) throws IOException {
        Written written = write(format, options(2), everything());
        ReadLayer layer = written.read();
        assertThat(layer.footer().format()).isEqualTo(format);
        checkEverything(layer);
        assertThat(written.layer().digest()).isEqualTo(Digest.sha256(written.bytes()));
        assertThat(written.layer().size()).isEqualTo(written.bytes().length);
    }

    @Test
    void theFooterIsWhereTheAnnotationSaysItIs() throws IOException {
        Written written = write(LayerFormat.ZSTD_CHUNKED, options(1), everything());
        assertThat(Footer.of(written.layer().annotations(), written.blob().size()))
                .isEqualTo(Footer.read(written.blob()));
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTARGZ", "ZSTD_CHUNKED"})
    void anyRuntimeUnpacksIt(LayerFormat format) throws IOException {
        Written written = write(format, options(2), everything());
        byte[] tar = Compression.decompress(new ByteArrayInputStream(written.bytes()))
                .readAllBytes();
        assertThat(Digest.sha256(tar)).isEqualTo(written.layer().diffId());
        assertThat(written.layer().annotations())
                .containsEntry(Annotations.UNCOMPRESSED_SIZE, Integer.toString(tar.length));
        assertThat(entries(tar))
                .containsAll(entries(everything()))
                .extracting(TarEntry::name)
                .contains(Landmarks.NO_PREFETCH);
    }

    private static List<TarEntry> entries(byte[] tar) throws IOException {
        TarReader reader = new TarReader(new ByteArrayInputStream(tar), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        List<TarEntry> entries = new ArrayList<>();
        for (Optional<TarEntry> next = reader.next(); next.isPresent(); next = reader.next()) {
            entries.add(next.get());
        }
        return entries;
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTARGZ", "ZSTD_CHUNKED"})
    void theBytesAreTheSameOnAnyNumberOfThreads(LayerFormat format) throws IOException {
        Archive archive = new Archive();
        for (int i = 0; i < 500; i++) {
            archive.file("file-" + i, "content ".repeat(i));
        }
        byte[] tar = archive.end();
        byte[] one = write(format, options(1), tar).bytes();
        assertThat(write(format, options(4), tar).bytes()).isEqualTo(one);
        assertThat(write(format, options(2), tar).bytes()).isEqualTo(one);
    }

    @Test
    void prioritizedFilesComeFirstBelowTheirFoldersAndBehindWhatTheyLinkTo() throws IOException {
        byte[] tar = new Archive()
                .file("first", "1")
                .add(entry(dev.longshore.sdk.tar.EntryType.DIRECTORY, "usr/").build())
                .add(entry(dev.longshore.sdk.tar.EntryType.DIRECTORY, "usr/bin/")
                        .build())
                .file("usr/bin/a", "a")
                .file("usr/bin/b", "b")
                .file("z", "z")
                .add(entry(dev.longshore.sdk.tar.EntryType.HARD_LINK, "link")
                        .linkName("usr/bin/b")
                        .build())
                .end();
        Written written =
                write(LayerFormat.ESTARGZ, options(1, "/z", "link", "usr/bin/../bin/a", "not/there", "z"), tar);
        assertThat(written.read().entries())
                .extracting(TocEntry::name)
                .containsExactly(
                        "z", "usr/", "usr/bin/", "usr/bin/b", "link", "usr/bin/a", Landmarks.PREFETCH, "first");
        assertThat(written.layer().missed()).containsExactly("not/there");
    }

    @Test
    void aNameThatIsThereTwiceIsWrittenOnce() throws IOException {
        byte[] tar = new Archive()
                .file("./a", "old")
                .file("b", "b")
                .file("a", "new")
                .file(".no.prefetch.landmark", "x")
                .file("./stargz.index.json", "{}")
                .end();
        ReadLayer layer = write(LayerFormat.ESTARGZ, options(1), tar).read();
        assertThat(layer.entries()).extracting(TocEntry::name).containsExactly(Landmarks.NO_PREFETCH, "b", "a");
        assertThat(new String(layer.content("a"), StandardCharsets.UTF_8)).isEqualTo("new");
    }

    @Test
    void whatWasMadeCanBeMadeAgain() throws IOException {
        byte[] tar = everything();
        Written once = write(LayerFormat.ESTARGZ, options(2), tar);
        byte[] unpacked =
                Compression.decompress(new ByteArrayInputStream(once.bytes())).readAllBytes();
        assertThat(write(LayerFormat.ESTARGZ, options(2), unpacked).bytes()).isEqualTo(once.bytes());
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTARGZ", "ZSTD_CHUNKED"})
    void layersOfOthersAreWrittenAnew(LayerFormat format) throws IOException {
        byte[] tar = Compression.decompress(new ByteArrayInputStream(
                        BytesReader.golden("prefetch.tar.gz").bytes()))
                .readAllBytes();
        ReadLayer theirs = ReadLayer.of(BytesReader.golden("prefetch.tar.gz"), Map.of());
        ReadLayer ours = write(format, options(2, "bin/tool"), tar).read();
        assertThat(ours.entries()).extracting(TocEntry::name).startsWith("bin/", "bin/tool");
        for (TocEntry entry : theirs.entries()) {
            if (entry.type() == EntryType.REG && !entry.name().startsWith(".")) {
                assertThat(ours.content(entry.name())).as(entry.name()).isEqualTo(theirs.content(entry.name()));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"ESTARGZ", "ZSTD_CHUNKED"})
    void holesOfSparseFilesAreZeros(LayerFormat format) throws Exception {
        Path sparse = folder.resolve("sparse");
        try (var file = new RandomAccessFile(sparse.toFile(), "rw")) {
            file.setLength(40_000);
            file.seek(8_192);
            file.write(random(5_000));
            file.seek(30_000);
            file.write(7);
        }
        Path tar = folder.resolve("sparse.tar");
        Process gnu = new ProcessBuilder("tar", "--sparse", "-C", folder.toString(), "-cf", tar.toString(), "sparse")
                .inheritIO()
                .start();
        assertThat(gnu.waitFor()).isZero();
        assertThat(Files.size(tar)).as("the archive has holes").isLessThan(40_000);
        ReadLayer layer = write(format, options(1), Files.readAllBytes(tar)).read();
        assertThat(layer.content("sparse")).isEqualTo(Files.readAllBytes(sparse));
    }

    /** Go's reader of a TOC does not look behind the first member. */
    @Test
    void aBigTocIsOneStream() throws IOException {
        Archive archive = new Archive();
        for (int i = 0; i < 3000; i++) {
            archive.add(entry(dev.longshore.sdk.tar.EntryType.SYMLINK, "link-" + i)
                    .linkName("to-" + i)
                    .build());
        }
        Written written = write(LayerFormat.ESTARGZ, options(2), archive.end());
        Footer footer = written.read().footer();
        byte[] head = new byte[512 + 200_000];
        byte[] end = Arrays.copyOfRange(written.bytes(), (int) footer.tocOffset(), written.bytes().length);
        RawLayer.decode(Compression.GZIP, end, 0, head);
        assertThat(new String(head, 0, 17, StandardCharsets.US_ASCII)).isEqualTo(Landmarks.TOC);
        assertThat(written.read().toc().entries()).isEqualTo(3001);
    }

    @Test
    void aNameThatIsNoUtf8IsRefused() throws IOException {
        byte[] tar = new Archive()
                .add(TarEntry.builder(dev.longshore.sdk.tar.EntryType.DIRECTORY, "a\u00ff/")
                        .build())
                .end();
        assertThatThrownBy(() -> write(LayerFormat.ESTARGZ, options(1), tar))
                .isInstanceOf(LayerFormatException.class)
                .hasMessageContaining("not UTF-8");
    }

    @Test
    void anEmptyArchiveIsALayer() throws IOException {
        for (LayerFormat format : List.of(LayerFormat.ESTARGZ, LayerFormat.ZSTD_CHUNKED)) {
            ReadLayer layer = write(format, options(1), new Archive().end()).read();
            assertThat(layer.entries()).extracting(TocEntry::name).containsExactly(Landmarks.NO_PREFETCH);
        }
    }

    @Test
    void aCutOffArchiveIsRefused() throws IOException {
        byte[] tar = everything();
        assertThatThrownBy(() -> write(LayerFormat.ESTARGZ, options(2), Arrays.copyOf(tar, 2000)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("tar archive at byte");
    }
}
