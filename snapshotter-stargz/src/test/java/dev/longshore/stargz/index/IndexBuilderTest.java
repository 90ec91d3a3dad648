package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.Toc.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What must not be in a table of contents. */
final class IndexBuilderTest {

    @TempDir
    Path folder;

    private void refused(Toc toc, String... message) {
        Path file = folder.resolve("layer.index");
        assertThatThrownBy(() -> toc.build(file))
                .isInstanceOf(InvalidArgumentException.class)
                .message()
                .contains(message);
        assertThat(Files.exists(file)).isFalse();
    }

    @Test
    void namesMustStayBelowTheRoot() {
        refused(new Toc().file("a/../b", 1), "\"a/../b\"", "\"..\"");
        refused(new Toc().file("..", 1), "\"..\"");
        refused(new Toc().file("./..", 1), "\"..\"");
        refused(new Toc().dir("./../", 0755), "\"..\"");
        refused(new Toc().file("./a/..//b/", 1), "\"..\"");
        refused(new Toc().file("//a", 1), "relative");
        refused(new Toc().dir("../", 0755), "\"../\"");
        refused(new Toc().file("/etc/passwd", 1), "\"/etc/passwd\"", "relative");
        refused(new Toc().file("", 1), "no name");
        refused(new Toc().file(".", 1), "root must be a folder");
        refused(new Toc().file("a\0b", 1), "zero byte");
        refused(new Toc().file("x".repeat(256), 1), "256 bytes");
        refused(new Toc().file("ü".repeat(128), 1), "256 bytes");
        refused(new Toc().file("x/".repeat(3000) + "y", 1), "more than 4096");
    }

    @Test
    void aNameMustNotStandTwice() {
        refused(new Toc().file("a", 1).file("a", 2), "\"a\"", "second entry");
        refused(new Toc().file("a", 1).file("./a/", 2), "second entry");
        refused(new Toc().file("a/b", 1).file("a//b", 2), "second entry");
        refused(new Toc().file("a/b", 1).file(".//a/./b//", 2), "second entry");
        refused(new Toc().file(".a/.b", 1).file("./.a/.b", 2), "second entry");
        refused(new Toc().dir("d", 0755).dir("d/", 0755), "\"d/\"", "second entry");
        refused(new Toc().dir(".", 0755).dir("./", 0755), "second entry");
        refused(new Toc().file("d/f", 1).file("d", 1), "one below it");
        refused(new Toc().file("f", 1).hardlink("f", "f"), "second entry");
        refused(new Toc().hardlink("f", "g").file("f", 1), "second entry");
        refused(new Toc().file(".wh.f", 0).file(".wh.f", 0), "second entry");
        refused(new Toc().file(".prefetch.landmark", 1).file(".prefetch.landmark", 1), "second entry");
    }

    @Test
    void nothingMayBeBelowWhatIsNoFolder() {
        refused(new Toc().file("f", 1).file("f/g", 1), "\"f/g\"", "\"f\"", "no folder");
        refused(new Toc().symlink("l", "/etc").file("l/passwd", 1), "\"l/passwd\"", "no folder");
        refused(new Toc().file("f", 1).hardlink("h", "f").file("h/g", 1), "no folder");
        refused(new Toc().file(".wh.d/f", 1), "whiteout");
        refused(new Toc().file("stargz.index.json", 1).file("stargz.index.json/f", 1), "no folder");
    }

    @Test
    void hardLinksMustLeadToAFile() {
        refused(new Toc().hardlink("a", "a"), "\"a\"", "leads to itself");
        refused(new Toc().hardlink("a", "b").hardlink("b", "c").hardlink("c", "a"), "leads to itself");
        refused(new Toc().hardlink("x", "a").hardlink("a", "b").hardlink("b", "a"), "\"x\"", "leads to itself");
        refused(new Toc().hardlink("a", "nowhere"), "\"a\"", "\"nowhere\" is not there");
        refused(new Toc().dir("d", 0755).hardlink("d/a", "d"), "\"d/a\"", "leads to a folder");
        refused(new Toc().dir("d", 0755).hardlink("a", "d/../b"), "\"..\"");
        refused(new Toc().hardlink("a", ""), "no target");
        refused(new Toc().hardlink("a", "/"), "not there");
        refused(new Toc().file("f", 1).hardlink("a", "f/g"), "not there");
        refused(new Toc().file(".prefetch.landmark", 1).hardlink("a", ".prefetch.landmark"), "not shown");
    }

    @Test
    void chunksMustMakeTheFileUp() {
        refused(
                new Toc()
                        .add(entry("f", EntryType.REG).size(10).chunk(0, 4).at(1))
                        .file("g", 1),
                "\"f\"",
                "4 bytes, the file 10");
        refused(
                new Toc().add(entry("f", EntryType.REG).size(10).chunk(0, 11).at(1)),
                "\"f\"",
                "not within the file's 10");
        refused(new Toc().add(entry("f", EntryType.REG).size(10).chunk(1, 9).at(1)), "begins at 1");
        refused(new Toc().add(entry("f", EntryType.REG).size(10).chunk(0, -1).at(1)), "chunk of -1 bytes");
        refused(new Toc().add(entry("f", EntryType.REG).size(-1).at(1)), "negative");
        refused(
                new Toc()
                        .add(entry("f", EntryType.REG).size(10).chunk(0, 4).at(1))
                        .add(entry("f", EntryType.CHUNK).chunk(3, 7).at(2)),
                "begins at 3",
                "ends at 4");
        refused(
                new Toc()
                        .add(entry("f", EntryType.REG).size(10).chunk(0, 4).at(1))
                        .add(entry("f", EntryType.CHUNK).chunk(5, 5).at(2)),
                "begins at 5");
        refused(
                new Toc()
                        .add(entry("f", EntryType.REG).size(10).chunk(0, 4).at(1))
                        .add(entry("f", EntryType.CHUNK)
                                .chunk(4, Long.MAX_VALUE)
                                .at(2)),
                "not within");
        refused(new Toc().add(entry("f", EntryType.CHUNK).chunk(0, 1).at(1)), "must follow the file");
        refused(
                new Toc()
                        .file("f", 3)
                        .dir("d", 0)
                        .add(entry("f", EntryType.CHUNK).chunk(3, 1)),
                "must follow");
        refused(
                new Toc()
                        .add(entry("f", EntryType.REG).size(10).chunk(0, 4).at(1))
                        .add(entry("g", EntryType.CHUNK).chunk(4, 6).at(2)),
                "\"g\"",
                "\"f\"");
        refused(
                new Toc()
                        .file("f", 3)
                        .add(entry("f", EntryType.CHUNK).chunk(3, 0).at(500)),
                "not within");
    }

    @Test
    void chunksMustHaveAPlaceOfTheirOwnInTheBlob() {
        refused(new Toc().add(entry("f", EntryType.REG).size(1).at(Toc.DATA_END)), "\"f\"", "of the blob");
        refused(new Toc().add(entry("f", EntryType.REG).size(1).at(-1)), "of the blob");
        refused(new Toc().add(entry("f", EntryType.REG).size(1).at(1).inner(-1)), "of its stream");
        refused(new Toc().add(entry("f", EntryType.REG).size(1).at(1).inner(1L << 32)), "of its stream");
        Toc twice = new Toc().add(entry("f", EntryType.REG).size(9).at(5));
        refused(twice.add(entry("g", EntryType.REG).size(9).at(5)), "\"g\"", "overlaps");
        Toc inner = new Toc().add(entry("f", EntryType.REG).size(9).at(5).inner(100));
        refused(inner.add(entry("g", EntryType.REG).size(9).at(5).inner(108)), "overlaps");
        Toc back = new Toc().add(entry("f", EntryType.REG).size(9).at(5));
        refused(back.add(entry("g", EntryType.REG).size(9).at(4)), "blob's order");
    }

    @Test
    void whatLinuxDoesNotTakeIsRefused() {
        refused(new Toc().add(entry("f", EntryType.REG).mode(0100644)), "mode 100644");
        refused(new Toc().add(entry("c", EntryType.CHAR).device(4096, 0)), "4096:0");
        refused(new Toc().add(entry("c", EntryType.CHAR).device(0, -1)), "0:-1");
        refused(new Toc().symlink("l", ""), "target");
        refused(new Toc().symlink("l", "x".repeat(4096)), "target");
        refused(new Toc().symlink("l", "a\0b"), "target");
        refused(new Toc().file(".wh.", 0), "whiteout must name");
        refused(new Toc().file("d/.wh...", 0), "whiteout must name");
        refused(new Toc().add(entry("f", EntryType.REG).xattrs(Map.of("", new byte[0]))), "extended attribute");
        refused(new Toc().add(entry("f", EntryType.REG).xattrs(Map.of("user.x", new byte[65537]))), "user.x", "65537");
    }

    @Test
    void tooMuchIsRefusedBeforeItIsKept() {
        IndexLimits limits = new IndexLimits(3, 100, 50);
        Path file = folder.resolve("layer.index");
        assertThatThrownBy(() -> new Toc()
                        .file("a", 1)
                        .file("b", 1)
                        .file("c", 1)
                        .file("d", 1)
                        .build(file, limits))
                .isInstanceOf(ResourceExhaustedException.class)
                .hasMessageContaining("more than 3 entries");
        assertThatThrownBy(() -> new Toc().file("a/b/c/d/e", 1).build(file, limits))
                .isInstanceOf(ResourceExhaustedException.class)
                .hasMessageContaining("more than 3 files and folders");
        assertThatThrownBy(() -> new Toc().symlink("l", "x".repeat(101)).build(file, limits))
                .isInstanceOf(ResourceExhaustedException.class)
                .hasMessageContaining("more than 100 bytes");
        assertThatThrownBy(() -> new Toc().hardlink("l", "x".repeat(101)).build(file, limits))
                .isInstanceOf(ResourceExhaustedException.class);
        assertThatThrownBy(() -> new Toc().file("big", 51).build(file, limits))
                .isInstanceOf(ResourceExhaustedException.class)
                .hasMessageContaining("\"big\"")
                .hasMessageContaining("51 bytes");
    }

    @Test
    void aLongChainOfLinksIsFollowedInNoTime() throws Exception {
        Toc toc = new Toc();
        int links = 200_000;
        for (int i = 0; i < links; i++) {
            toc.hardlink("l" + i, "l" + (i + 1));
        }
        toc.file("l" + links, 1);
        try (LayerIndex index = toc.build(folder.resolve("layer.index"))) {
            assertThat(index.attributes(2).links()).isEqualTo(links + 1);
        }
    }
}
