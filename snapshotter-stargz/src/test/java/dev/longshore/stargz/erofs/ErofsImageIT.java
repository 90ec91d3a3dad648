package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.index.Toc.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ErofsImageIT {

    @TempDir
    Path folder;

    /** The kernel refuses to show one that is not of the form. */
    private static final byte[] CAPABILITY = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    private final List<Path> mounts = new ArrayList<>();

    @AfterEach
    void unmount() throws IOException {
        for (Path mount : mounts.reversed()) {
            MountCalls.unmount(mount, MountCalls.MNT_DETACH);
        }
    }

    private static byte at(int inode, long offset) {
        return (byte) (offset * 31 + (offset >> 12) * 7 + inode * 13L);
    }

    private static byte[] bytes(int inode, int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = at(inode, i);
        }
        return bytes;
    }

    private static final FileData DATA = (inode, offset, to) -> {
        for (long at = offset; to.hasRemaining(); at++) {
            to.put(at(inode, at));
        }
    };

    private Path write(Toc toc) throws Exception {
        Path image = folder.resolve("image");
        try (LayerIndex index = toc.build(folder.resolve("index"))) {
            new ErofsImage(index, List.of("trusted.overlay.opaque")).write(image, DATA);
        }
        fsck(image);
        return image;
    }

    /** The checker of erofs-utils, which also reads every file. */
    private void fsck(Path image) throws Exception {
        if (!Files.exists(Path.of("/usr/bin/fsck.erofs"))) {
            System.out.println("fsck.erofs of erofs-utils is not here: the image is not checked with it");
            return;
        }
        Path log = folder.resolve("fsck.log");
        Process fsck = new ProcessBuilder("fsck.erofs", "-d3", "--extract", image.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(fsck.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(fsck.exitValue()).as(() -> content(log)).isZero();
        assertThat(content(log)).contains("No error");
    }

    private static String content(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private Path mount(Toc toc) throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        Optional<String> why = ErofsMount.probe(folder);
        assumeTrue(why.isEmpty(), () -> "file-backed EROFS is not to be had: " + why.orElseThrow());
        Path target = Files.createDirectory(folder.resolve("mount" + mounts.size()));
        ErofsMount.mount(write(toc), target);
        mounts.add(target);
        return target;
    }

    @Test
    void aLayerIsShownAsItsTableSays() throws Exception {
        byte[] large = new byte[60_000];
        Toc toc = new Toc()
                .dir("bin", 0711)
                .add(entry("bin/su", EntryType.REG)
                        .size(5000)
                        .mode(04755)
                        .owner(70000, 80000)
                        .at(200))
                .add(entry("bin/sh", EntryType.SYMLINK).link("su"))
                .add(entry("bin/far", EntryType.SYMLINK).link("x/".repeat(2047)))
                .hardlink("bin/link", "bin/su")
                .add(entry("dev/null", EntryType.CHAR).device(1, 3).mode(0666))
                .add(entry("dev/disk", EntryType.BLOCK).device(259, 70000).mode(0600))
                .add(entry("dev/pipe", EntryType.FIFO).mode(0644))
                .add(entry("empty", EntryType.REG))
                .add(entry("caps", EntryType.REG)
                        .xattrs(Map.of("security.capability", CAPABILITY, "user.b", new byte[0])))
                .add(entry("large", EntryType.REG).size(100).at(300).xattrs(Map.of("user.large", large)))
                .file("o/.wh..wh..opq", 0)
                .file("o/.wh.gone", 0)
                .add(entry("!first", EntryType.DIR).mode(01777));
        Path root = mount(toc);
        try (Stream<Path> walk = Files.walk(root)) {
            assertThat(walk.map(path -> root.relativize(path).toString()))
                    .containsExactlyInAnyOrder(
                            "",
                            "bin",
                            "bin/su",
                            "bin/sh",
                            "bin/far",
                            "bin/link",
                            "dev",
                            "dev/null",
                            "dev/disk",
                            "dev/pipe",
                            "empty",
                            "caps",
                            "large",
                            "o",
                            "o/gone",
                            "!first");
        }
        FileStat su = FileStat.of(root.resolve("bin/su"));
        assertThat(su.mode()).isEqualTo(FileStat.S_IFREG | 04755);
        assertThat(su.links()).isEqualTo(2);
        assertThat(su.uid()).isEqualTo(70000);
        assertThat(su.gid()).isEqualTo(80000);
        assertThat(su.modified()).isEqualTo(Toc.TIME);
        assertThat(FileStat.of(root.resolve("bin/link")).inode()).isEqualTo(su.inode());
        assertThat(FileStat.of(root).links()).isEqualTo(6);
        assertThat(Files.readSymbolicLink(root.resolve("bin/sh"))).isEqualTo(Path.of("su"));
        assertThat(Files.readSymbolicLink(root.resolve("bin/far")).toString()).startsWith("x/x/x/");
        assertThat(FileStat.of(root.resolve("dev/disk")).specialDevice()).isEqualTo(259L << 32 | 70000);
        assertThat(FileStat.of(root.resolve("dev/pipe")).mode()).isEqualTo(FileStat.S_IFIFO | 0644);
        assertThat(FileStat.of(root.resolve("o/gone")).mode()).isEqualTo(FileStat.S_IFCHR);
        assertThat(FileStat.of(root.resolve("o/gone")).specialDevice()).isZero();
        assertThat(Xattrs.get(root.resolve("o"), "trusted.overlay.opaque"))
                .contains("y".getBytes(StandardCharsets.UTF_8));
        assertThat(Xattrs.get(root.resolve("caps"), "security.capability")).contains(CAPABILITY);
        assertThat(Xattrs.get(root.resolve("caps"), "user.b")).contains(new byte[0]);
        assertThat(Xattrs.get(root.resolve("large"), "user.large")).contains(large);
        assertThat(Files.readAllBytes(root.resolve("bin/sh"))).isEqualTo(bytes(3, 5000));
        assertThat(Files.readAllBytes(root.resolve("large"))).isEqualTo(bytes(12, 100));
    }

    @Test
    void filesOfAllSizesAreRead() throws Exception {
        int[] sizes = {
            1,
            31,
            32,
            33,
            4000,
            4031,
            4032,
            4033,
            4095,
            4096,
            4097,
            8191,
            8192,
            12_345,
            1 << 20,
            (1 << 20) + 1,
            3_000_001
        };
        Toc toc = new Toc();
        for (int size : sizes) {
            toc.file("f" + size, size);
        }
        Path root = mount(toc);
        for (int i = 0; i < sizes.length; i++) {
            assertThat(Files.readAllBytes(root.resolve("f" + sizes[i])))
                    .as("%d bytes", sizes[i])
                    .isEqualTo(bytes(i + 2, sizes[i]));
        }
    }

    @Test
    void largeFoldersAreListedAndSearched() throws Exception {
        Toc toc = new Toc();
        Set<String> expected = new TreeSet<>();
        for (int i = 0; i < 20_000; i++) {
            String name = (i % 3 == 0 ? "-" : "") + "name-" + "x".repeat(i % 90) + i;
            toc.file("many/" + name, i % 700);
            expected.add(name);
        }
        Path root = mount(toc);
        Set<String> found = new TreeSet<>();
        try (Stream<Path> list = Files.list(root.resolve("many"))) {
            list.forEach(path -> found.add(path.getFileName().toString()));
        }
        assertThat(found).isEqualTo(expected);
        for (String name : expected) {
            assertThat(Files.exists(root.resolve("many").resolve(name)))
                    .as(name)
                    .isTrue();
        }
        assertThat(Files.exists(root.resolve("many/name"))).isFalse();
        // 349 bytes of contents and 64 of an inode on average: little is lost between them.
        assertThat(Files.size(folder.resolve("image"))).isLessThan(20_000L * (349 + 64 + 32 + 70) * 11 / 10);
    }

    @Test
    void theSameLayerGivesTheSameImage() throws Exception {
        Toc toc = new Toc().file("a", 5000).file("d/b", 3).symlink("l", "a");
        byte[] first = Files.readAllBytes(write(toc));
        assertThat(Files.readAllBytes(write(toc))).isEqualTo(first);
    }

    @Test
    void anAttributeThatErofsCannotKeepIsToldOf() throws Exception {
        Toc toc = new Toc().add(entry("f", EntryType.REG).xattrs(Map.of("system.nfs4_acl", new byte[1])));
        assertThatThrownBy(() -> write(toc))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("system.nfs4_acl")
                .hasMessageContaining("/f");
        assertThat(folder.resolve("image")).doesNotExist();
    }

    @Test
    void aFileThatCannotBeReadLeavesNoImage() throws Exception {
        Path image = folder.resolve("image");
        try (LayerIndex index = new Toc().file("f", 10).build(folder.resolve("index"))) {
            assertThatThrownBy(() -> new ErofsImage(index, List.of()).write(image, ErofsImageIT::gone))
                    .isInstanceOf(IOException.class)
                    .hasMessage("gone");
        }
        assertThat(image).doesNotExist();
        assertThat(folder.resolve("image.tmp")).doesNotExist();
    }

    private static void gone(int inode, long offset, ByteBuffer to) throws IOException {
        throw new IOException("gone");
    }
}
