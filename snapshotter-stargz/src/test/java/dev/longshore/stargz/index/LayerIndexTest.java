package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.Toc.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LayerIndexTest {

    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("layer.index");
    }

    private static byte[] b(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static int walk(LayerIndex index, String path) {
        int inode = LayerIndex.ROOT;
        for (String part : path.split("/", -1)) {
            inode = index.lookup(inode, b(part));
        }
        return inode;
    }

    private static List<String> list(LayerIndex index, int folder) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < index.count(folder); i++) {
            names.add(new String(index.name(folder, i), StandardCharsets.UTF_8));
            assertThat(index.lookup(folder, index.name(folder, i))).isEqualTo(index.child(folder, i));
        }
        return names;
    }

    @Test
    void anEmptyTableIsAnEmptyRoot() throws IOException {
        try (LayerIndex index = new Toc().build(file())) {
            assertThat(index.inodes()).isEqualTo(1);
            assertThat(index.attributes(LayerIndex.ROOT).mode()).isEqualTo(FileStat.S_IFDIR | 0755);
            assertThat(index.attributes(LayerIndex.ROOT).links()).isEqualTo(2);
            assertThat(index.count(LayerIndex.ROOT)).isZero();
            assertThat(index.chunks()).isZero();
            assertThat(index.hasXattrs()).isFalse();
            assertThat(index.path(LayerIndex.ROOT)).isEqualTo("/");
        }
    }

    @Test
    void inodesAreNumberedInTheOrderOfTheTable() throws IOException {
        Toc toc = new Toc()
                .dir("./", 0700)
                .dir("b/", 0711)
                .file("b/f", 10)
                .file("a", 20)
                .symlink("c", "b/f");
        try (LayerIndex index = toc.build(file())) {
            assertThat(walk(index, "b")).isEqualTo(2);
            assertThat(walk(index, "b/f")).isEqualTo(3);
            assertThat(walk(index, "a")).isEqualTo(4);
            assertThat(walk(index, "c")).isEqualTo(5);
            assertThat(list(index, LayerIndex.ROOT)).containsExactly("a", "b", "c");
            assertThat(index.attributes(LayerIndex.ROOT).mode()).isEqualTo(FileStat.S_IFDIR | 0700);
            assertThat(index.target(5)).isEqualTo(b("b/f"));
            assertThat(index.path(3)).isEqualTo("/b/f");
            assertThat(index.parent(3)).isEqualTo(2);
            assertThat(index.files()).isEqualTo(2);
            assertThat(index.fileBytes()).isEqualTo(30);
        }
    }

    @Test
    void attributesAreTheEntrys() throws IOException {
        Toc toc = new Toc()
                .add(entry("f", EntryType.REG)
                        .size(5L << 32)
                        .chunk(0, 1L << 20)
                        .mode(04755)
                        .owner(-2, 70000)
                        .at(5));
        for (long at = 1L << 20; at < 5L << 32; at += 1L << 20) {
            toc.add(entry("f", EntryType.CHUNK).chunk(at, 1L << 20).at(at));
        }
        toc.add(entry("d", EntryType.BLOCK).device(0xabc, 0xfedcb).mode(0600));
        try (LayerIndex index = toc.build(file())) {
            Attributes f = index.attributes(2);
            assertThat(f.mode()).isEqualTo(FileStat.S_IFREG | 04755);
            assertThat(f.size()).isEqualTo(5L << 32);
            assertThat(f.uid()).isEqualTo(-2);
            assertThat(f.gid()).isEqualTo(70000);
            assertThat(f.mtimeSeconds()).isEqualTo(Toc.TIME.getEpochSecond());
            assertThat(f.mtimeNanos()).isEqualTo(123_456_789);
            assertThat(f.links()).isEqualTo(1);
            assertThat(index.attributes(3).mode()).isEqualTo(FileStat.S_IFBLK | 0600);
            assertThat(index.attributes(3).rdev()).isEqualTo(0xcb | 0xabc << 8 | 0xfed00 << 12);
        }
    }

    @Test
    void missingFoldersAreMadeAndFilledWhenTheirEntryComes() throws IOException {
        Toc toc = new Toc().file("a/b/c", 1).dir("a/b", 0710).file("x/y", 1);
        try (LayerIndex index = toc.build(file())) {
            Attributes a = index.attributes(walk(index, "a"));
            assertThat(a.mode()).isEqualTo(FileStat.S_IFDIR | 0755);
            assertThat(a.uid()).isZero();
            assertThat(a.links()).isEqualTo(3);
            Attributes b = index.attributes(walk(index, "a/b"));
            assertThat(b.mode()).isEqualTo(FileStat.S_IFDIR | 0710);
            assertThat(b.uid()).isEqualTo(7);
            assertThat(index.attributes(LayerIndex.ROOT).links()).isEqualTo(4);
        }
    }

    @Test
    void hardLinksAreOneInodeWhereverTheyStand() throws IOException {
        Toc toc = new Toc()
                .hardlink("early", "f")
                .file("f", 3)
                .hardlink("late", "./early")
                .hardlink("later", "/late")
                .file("g", 3);
        try (LayerIndex index = toc.build(file())) {
            int f = walk(index, "f");
            assertThat(List.of(walk(index, "early"), walk(index, "late"), walk(index, "later")))
                    .containsOnly(f);
            assertThat(index.attributes(f).links()).isEqualTo(4);
            assertThat(index.inodes()).isEqualTo(3);
        }
    }

    @Test
    void whiteoutsAreDevicesUnlessTheLayerHasTheName() throws IOException {
        Toc toc = new Toc()
                .file("d/.wh.gone", 0)
                .file("d/.wh.here", 0)
                .file("d/here", 1)
                .file("o/.wh..wh..opq", 0)
                .file("o/.wh..wh.plnk", 0)
                .file(".wh.anew", 0)
                .dir("anew", 0755);
        try (LayerIndex index = toc.build(file())) {
            assertThat(list(index, walk(index, "d"))).containsExactly("gone", "here");
            Attributes gone = index.attributes(walk(index, "d/gone"));
            assertThat(gone.mode()).isEqualTo(FileStat.S_IFCHR);
            assertThat(gone.rdev()).isZero();
            assertThat(gone.links()).isEqualTo(1);
            assertThat(index.isRegular(walk(index, "d/here"))).isTrue();
            assertThat(index.opaque(walk(index, "d"))).isFalse();
            assertThat(index.opaque(walk(index, "o"))).isTrue();
            assertThat(list(index, walk(index, "o"))).isEmpty();
            assertThat(index.opaque(walk(index, "anew"))).isTrue();
            assertThat(index.hasXattrs()).isTrue();
        }
    }

    @Test
    void landmarksAndTheTableAreNotShownInTheRoot() throws IOException {
        Toc toc = new Toc()
                .file("first", 5)
                .add(entry(".prefetch.landmark", EntryType.REG).size(1).at(777))
                .add(entry("rest", EntryType.REG).size(5).at(1000))
                .add(entry("d/.prefetch.landmark", EntryType.REG).size(5).at(1100))
                .add(entry("stargz.index.json", EntryType.REG).size(5).at(1200));
        try (LayerIndex index = toc.build(file())) {
            assertThat(list(index, LayerIndex.ROOT)).containsExactly("d", "first", "rest");
            assertThat(list(index, walk(index, "d"))).containsExactly(".prefetch.landmark");
            assertThat(index.prefetchEnd()).hasValue(777);
            assertThat(index.prefetchForbidden()).isFalse();
            assertThat(index.chunk(walk(index, "first"), 0).blobEnd()).isEqualTo(777);
            assertThat(index.chunk(walk(index, "d/.prefetch.landmark"), 0).blobEnd())
                    .isEqualTo(1200);
        }
    }

    @Test
    void theLandmarkThatForbidsPrefetchingIsTold() throws IOException {
        Toc toc = new Toc().file(".no.prefetch.landmark", 1);
        try (LayerIndex index = toc.build(file())) {
            assertThat(index.prefetchForbidden()).isTrue();
            assertThat(index.prefetchEnd()).isEmpty();
        }
    }

    @Test
    void extendedAttributesHaveAnyBytes() throws IOException {
        byte[] value = {0, -1, 10, 0};
        Map<String, byte[]> xattrs = Map.of("user.b", value, "security.capability", new byte[0]);
        Toc toc = new Toc()
                .add(entry("f", EntryType.REG).xattrs(xattrs))
                .add(entry("g", EntryType.DIR).xattrs(xattrs))
                .file("none", 0);
        try (LayerIndex index = toc.build(file())) {
            for (int inode : new int[] {2, 3}) {
                assertThat(index.xattrs(inode)).containsExactly(b("security.capability"), b("user.b"));
                assertThat(index.xattr(inode, b("user.b"))).contains(value);
                assertThat(index.xattr(inode, b("security.capability"))).contains(new byte[0]);
                assertThat(index.xattr(inode, b("user"))).isEmpty();
            }
            assertThat(index.xattrs(4)).isEmpty();
            assertThat(index.xattr(4, b("user.b"))).isEmpty();
        }
    }

    @Test
    void attributesThatWouldSteerOverlayfsAreNotTaken() throws IOException {
        Toc toc = new Toc()
                .add(entry("d", EntryType.DIR)
                        .xattrs(Map.of("trusted.overlay.redirect", b("/etc"), "user.overlay.opaque", b("y"))));
        try (LayerIndex index = toc.build(file())) {
            assertThat(index.xattrs(2)).isEmpty();
            assertThat(index.hasXattrs()).isFalse();
        }
    }

    @Test
    void chunksAreFoundByOffsetAndVisitedInOrder() throws IOException {
        Toc toc = new Toc().file("a", 250, 100).file("empty", 0).file("b", 7);
        try (LayerIndex index = toc.build(file())) {
            assertThat(index.chunkCount(2)).isEqualTo(3);
            assertThat(index.chunk(2, 0).number()).isZero();
            assertThat(index.chunk(2, 99).number()).isZero();
            Chunk middle = index.chunk(2, 100);
            assertThat(middle).isEqualTo(new Chunk(1, 2, 100, 100, 300, 400, 0));
            assertThat(index.chunk(2, 249)).isEqualTo(index.chunkAt(2, 2));
            assertThat(index.chunkAt(2, 2).size()).isEqualTo(50);
            assertThatThrownBy(() -> index.chunk(2, 250)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> index.chunk(3, 0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(index.chunk(4, 0).blobEnd()).isEqualTo(Toc.DATA_END);
            List<Integer> visited = new ArrayList<>();
            index.forEachChunk(1, chunk -> visited.add(chunk.number() * 10 + chunk.inode()));
            assertThat(visited).containsExactly(12, 22, 34);
            assertThat(index.verifiable()).isTrue();
        }
    }

    @Test
    void chunksMayShareAStream() throws IOException {
        Toc toc = new Toc()
                .add(entry("a", EntryType.REG).size(10).at(50))
                .add(entry("b", EntryType.REG).size(10).at(50).inner(522))
                .add(entry("c", EntryType.REG).size(10).at(90).undigested());
        try (LayerIndex index = toc.build(file())) {
            assertThat(index.chunk(3, 0).blobOffset()).isEqualTo(50);
            assertThat(index.chunk(3, 0).innerOffset()).isEqualTo(522);
            assertThat(index.chunk(2, 0).blobEnd()).isEqualTo(90);
            assertThat(index.hasDigest(index.firstChunk(4))).isFalse();
            assertThat(index.verifiable()).isFalse();
        }
    }

    @Test
    void anInodeCostsAtMost150Bytes() throws IOException {
        Toc toc = new Toc();
        int files = 20_000;
        for (int i = 0; i < files; i++) {
            toc.file("usr/lib/python3/dist-packages/folder%d/module_%d.py".formatted(i / 50, i), 1000 + i);
        }
        try (LayerIndex index = toc.build(file())) {
            assertThat((double) index.size() / index.inodes()).isLessThan(150);
            assertThat(walk(index, "usr/lib/python3/dist-packages/folder399/module_19999.py"))
                    .isPositive();
        }
    }

    @Test
    void aDamagedFileIsDataLoss() throws IOException {
        new Toc().file("f", 3).build(file()).close();
        long size = Files.size(file());
        for (long at : new long[] {0, 9, 69, 97, size - 1}) {
            flip(at);
            assertThatThrownBy(() -> LayerIndex.open(file()))
                    .as("byte %d", at)
                    .isInstanceOf(DataLossException.class)
                    .hasMessageContaining(file().toString());
            flip(at);
        }
        LayerIndex.open(file()).close();
        try (RandomAccessFile access = new RandomAccessFile(file().toFile(), "rw")) {
            access.setLength(50);
        }
        assertThatThrownBy(() -> LayerIndex.open(file())).isInstanceOf(DataLossException.class);
    }

    private void flip(long at) throws IOException {
        try (RandomAccessFile access = new RandomAccessFile(file().toFile(), "rw")) {
            access.seek(at);
            int b = access.read();
            access.seek(at);
            access.write(b ^ 0x40);
        }
    }
}
