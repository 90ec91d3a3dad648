package dev.longshore.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TarIndexTest {

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("archive.tar");
    }

    private static String text(TarIndex index, String name) throws IOException {
        return new String(index.document(name), StandardCharsets.UTF_8);
    }

    @Test
    void filesAreFoundByName() throws IOException {
        new ArchiveBuilder()
                .file("./a", "one")
                .file("dir/b", "two")
                .file("empty", "")
                .write(file);
        try (TarIndex index = TarIndex.open(file)) {
            assertThat(text(index, "a")).isEqualTo("one");
            assertThat(text(index, "dir/b")).isEqualTo("two");
            assertThat(text(index, "empty")).isEmpty();
            assertThat(index.has("c")).isFalse();
            assertThatThrownBy(() -> index.find("c")).isInstanceOf(NotFoundException.class);
            assertThat(index.stream(index.find("dir/b"), 1).readAllBytes())
                    .isEqualTo("wo".getBytes(StandardCharsets.UTF_8));
        }
    }

    @Test
    void longNamesOfPaxAndGnuAreRead() throws IOException {
        String longName = "blobs/" + "x".repeat(150);
        String record = " path=" + longName + "\n";
        String withLength = (record.length() + 3) + record;
        byte[] gnu = (longName + "2\0").getBytes(StandardCharsets.UTF_8);
        new ArchiveBuilder()
                .entry('x', "pax", "", withLength.length(), withLength.getBytes(StandardCharsets.UTF_8))
                .file("short", "pax")
                .entry('L', "././@LongLink", "", gnu.length, gnu)
                .file("short", "gnu")
                .write(file);
        try (TarIndex index = TarIndex.open(file)) {
            assertThat(text(index, longName)).isEqualTo("pax");
            assertThat(text(index, longName + "2")).isEqualTo("gnu");
        }
    }

    @Test
    void linksLeadToFilesOfTheArchiveOnly() throws IOException {
        new ArchiveBuilder()
                .file("a/layer.tar", "layer")
                .link('2', "b/layer.tar", "../a/layer.tar")
                .link('1', "c/layer.tar", "a/layer.tar")
                .link('2', "out", "../../../../etc/passwd")
                .link('2', "loop", "loop")
                .write(file);
        try (TarIndex index = TarIndex.open(file)) {
            assertThat(text(index, "b/layer.tar")).isEqualTo("layer");
            assertThat(text(index, "c/layer.tar")).isEqualTo("layer");
            assertThat(index.has("out")).isFalse();
            assertThat(index.has("loop")).isFalse();
        }
    }

    @Test
    void sizeBeyondTheFileIsRefused() throws IOException {
        new ArchiveBuilder()
                .entry('0', "index.json", "", 1L << 32, new byte[10])
                .write(file);
        assertThatThrownBy(() -> TarIndex.open(file))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("unexpected EOF");
    }

    /** CVE-2023-25153: nothing is read into memory because of what a header says. */
    @Test
    void giantDocumentIsRefused() throws IOException {
        new ArchiveBuilder()
                .file("index.json", new byte[TarIndex.MAX_DOCUMENT + 1])
                .write(file);
        try (TarIndex index = TarIndex.open(file)) {
            assertThatThrownBy(() -> index.document("index.json"))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("limit");
        }
    }

    @Test
    void giantExtendedHeaderIsRefused() throws IOException {
        byte[] giant = new byte[TarIndex.MAX_EXTENDED + 1];
        new ArchiveBuilder()
                .entry('x', "pax", "", giant.length, giant)
                .file("a", "a")
                .write(file);
        assertThatThrownBy(() -> TarIndex.open(file)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void fileThatIsThereTwiceIsRefused() throws IOException {
        new ArchiveBuilder().file("index.json", "{}").file("./index.json", "[]").write(file);
        assertThatThrownBy(() -> TarIndex.open(file))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("twice");
    }

    @Test
    void archiveWithoutItsEndIsStillRead() throws IOException {
        new ArchiveBuilder().file("a", "a").write(file, false);
        try (TarIndex index = TarIndex.open(file)) {
            assertThat(index.has("a")).isTrue();
        }
    }

    @Test
    void whatIsNoArchiveIsRefused() throws IOException {
        Files.write(file, new byte[0]);
        assertThatThrownBy(() -> TarIndex.open(file)).isInstanceOf(InvalidArgumentException.class);
        Files.writeString(file, "this is no archive ".repeat(100));
        assertThatThrownBy(() -> TarIndex.open(file)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void truncatedAndDamagedArchivesAreRefusedOrReadButNeverWorse() throws IOException {
        new ArchiveBuilder()
                .file("index.json", "{}")
                .file("blobs/x", new byte[3000])
                .link('2', "l", "blobs/x")
                .write(file);
        byte[] whole = Files.readAllBytes(file);
        Random random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            byte[] damaged = Arrays.copyOf(whole, i % 3 == 0 ? random.nextInt(whole.length) : whole.length);
            for (int flips = random.nextInt(4); flips > 0 && damaged.length > 0; flips--) {
                damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
            }
            Files.write(file, damaged);
            try (TarIndex index = TarIndex.open(file)) {
                var _ = index.has("index.json");
            } catch (InvalidArgumentException e) {
                assertThat(e).hasMessageContaining("archive.tar");
            }
        }
    }
}
