package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every {@link Applier} and {@link Comparer} does, on real mounts; they come in pairs, for one undoes what the other does. An
 * implementation extends this class, once for itself and once through its proxy; and {@link HostileLayersContract}, too.
 */
public abstract class DifferContract extends DifferFixture {

    /** Version 2, cap_net_raw+ep. */
    private static final byte[] CAPABILITY = {1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    // Applying

    @ParameterizedTest
    @EnumSource
    final void filesOfEveryKindAreAsTheLayerSays(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        stack.apply(layer().entry(
                        EntryType.DIRECTORY,
                        "d/",
                        entry -> entry.mode(03711).owner(5, 6).modified(MODIFIED))
                .file(
                        "d/file",
                        "content",
                        entry -> entry.mode(06755)
                                .owner(70_000, 80_000)
                                .modified(MODIFIED)
                                .xattr("user.binary", "\u0000\u00ff=\n")
                                .xattr("security.capability", ByteStrings.of(CAPABILITY)))
                .hardLink("d/hard", "d/file")
                .entry(
                        EntryType.SYMLINK,
                        "d/soft",
                        entry -> entry.linkName("/no/where").owner(7, 8).modified(MODIFIED))
                .entry(
                        EntryType.CHARACTER_DEVICE,
                        "d/char",
                        entry -> entry.device(5, 300).mode(0620).modified(MODIFIED))
                .entry(
                        EntryType.BLOCK_DEVICE,
                        "d/block",
                        entry -> entry.device(259, 70_000).mode(0660).owner(0, 6))
                .entry(EntryType.FIFO, "d/fifo", mode(0622)));
        stack.see(root -> {
            FileStat folder = FileStat.of(root.resolve("d"));
            assertThat(folder.permissions()).isEqualTo(03711);
            assertThat(folder.uid()).isEqualTo(5);
            assertThat(folder.gid()).isEqualTo(6);
            assertThat(folder.modified())
                    .as("though files were written into it")
                    .isEqualTo(MODIFIED);
            Path path = root.resolve("d/file");
            FileStat file = FileStat.of(path);
            assertThat(path).hasContent("content");
            assertThat(file.permissions()).as("set-id bits, in spite of chown").isEqualTo(06755);
            assertThat(file.uid()).isEqualTo(70_000);
            assertThat(file.gid()).isEqualTo(80_000);
            assertThat(file.modified()).isEqualTo(MODIFIED);
            assertThat(file.links()).isEqualTo(2);
            assertThat(FileStat.of(root.resolve("d/hard")).inode()).isEqualTo(file.inode());
            assertThat(Xattrs.get(path, "user.binary")).hasValue(new byte[] {0, -1, '=', '\n'});
            assertThat(Xattrs.get(path, "security.capability"))
                    .as("in spite of chown")
                    .hasValue(CAPABILITY);
            FileStat soft = FileStat.of(root.resolve("d/soft"));
            assertThat(Files.readSymbolicLink(root.resolve("d/soft"))).hasToString("/no/where");
            assertThat(soft.uid()).isEqualTo(7);
            assertThat(soft.modified()).isEqualTo(MODIFIED);
            FileStat character = FileStat.of(root.resolve("d/char"));
            assertThat(character.mode()).isEqualTo(FileStat.S_IFCHR | 0620);
            assertThat(character.specialDevice()).isEqualTo(5L << 32 | 300);
            assertThat(character.modified()).isEqualTo(MODIFIED);
            FileStat block = FileStat.of(root.resolve("d/block"));
            assertThat(block.mode()).isEqualTo(FileStat.S_IFBLK | 0660);
            assertThat(block.specialDevice()).isEqualTo(259L << 32 | 70_000);
            assertThat(FileStat.of(root.resolve("d/fifo")).mode()).isEqualTo(FileStat.S_IFIFO | 0622);
            return true;
        });
    }

    @ParameterizedTest
    @EnumSource
    final void namesAreBytes(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        byte[] latin = {'l', (byte) 0xe4, '/', (byte) 0xff};
        stack.apply(layer().file("ünï/漢字 🙂\nsecond line", "u")
                .symlink("ünï/link", "漢字")
                .add(TarEntry.builder(EntryType.FILE, ByteStrings.of(latin)).build(), new byte[0])
                .add(
                        TarEntry.builder(EntryType.SYMLINK, "latin")
                                .linkName(ByteStrings.of(latin))
                                .build(),
                        new byte[0]));
        stack.see(root -> {
            assertThat(root.resolve("ünï/漢字 🙂\nsecond line")).hasContent("u");
            assertThat(Files.readSymbolicLink(root.resolve("ünï/link"))).hasToString("漢字");
            Process ls = new ProcessBuilder("/bin/sh", "-c", "printf '%s' l*/* && readlink latin")
                    .directory(root.toFile())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            assertThat(ls.getInputStream().readAllBytes())
                    .isEqualTo(
                            new byte[] {'l', (byte) 0xe4, '/', (byte) 0xff, 'l', (byte) 0xe4, '/', (byte) 0xff, '\n'});
            return true;
        });
    }

    @ParameterizedTest
    @EnumSource
    final void anEmptyLayerChangesNothing(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().entry(EntryType.DIRECTORY, "./", entry -> entry.modified(MODIFIED))
                .file("file", "content"));
        Map<String, String> before = stack.tree();
        stack.apply(layer().entry(EntryType.DIRECTORY, "./", entry -> entry.modified(MODIFIED)));
        assertThat(stack.tree()).isEqualTo(before);
        Descriptor applied = stack.apply(new byte[0], MediaTypes.OCI_LAYER);
        assertThat(applied.size()).isZero();
        assertThat(stack.tree().keySet()).isEqualTo(before.keySet());
    }

    @ParameterizedTest
    @EnumSource
    final void theRootIsAsTheLayerSays(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        stack.apply(layer().entry(
                        EntryType.DIRECTORY,
                        "./",
                        entry -> entry.mode(01777).owner(3, 4).modified(MODIFIED))
                .file("file", ""));
        assertThat(stack.tree().get(".")).isEqualTo("folder 1777 3:4 " + MODIFIED);
    }

    @ParameterizedTest
    @EnumSource
    final void holesStayHoles(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        byte[] stored = Arrays.copyOf("2\n4096\n4\n1073741824\n4\n".getBytes(StandardCharsets.UTF_8), 512 + 8);
        System.arraycopy("headtail".getBytes(StandardCharsets.UTF_8), 0, stored, 512, 8);
        TarEntry sparse = TarEntry.builder(EntryType.FILE, "GNUSparseFile.0/sparse")
                .size(stored.length)
                .record("GNU.sparse.major", "1")
                .record("GNU.sparse.minor", "0")
                .record("GNU.sparse.name", "sparse")
                .record("GNU.sparse.realsize", "2147483648")
                .build();
        stack.apply(layer().add(sparse, stored));
        stack.see(root -> {
            FileStat stat = FileStat.of(root.resolve("sparse"));
            assertThat(stat.size()).isEqualTo(1L << 31);
            assertThat(stat.blocks() * 512).isLessThan(1 << 20);
            try (var file = Files.newByteChannel(root.resolve("sparse"))) {
                ByteBuffer four = ByteBuffer.allocate(4);
                assertThat(file.position(1 << 30).read(four)).isEqualTo(4);
                assertThat(four.array()).isEqualTo("tail".getBytes(StandardCharsets.UTF_8));
            }
            return true;
        });
    }

    @ParameterizedTest
    @EnumSource
    final void missingFoldersAreMade(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().entry(
                        EntryType.DIRECTORY, "old/", entry -> entry.mode(0711).owner(5, 6))
                .file("old/kept", ""));
        stack.apply(layer().file("old/new", "").file("a/b/c", ""));
        assertThat(stack.names()).containsExactly(".", "a", "a/b", "a/b/c", "old", "old/kept", "old/new");
        assertThat(stack.tree().get("old")).as("like the one below").startsWith("folder 0711 5:6");
    }

    @ParameterizedTest
    @EnumSource
    final void entriesOfOneNameReplaceOneAnother(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("a").file("a/x", "").file("b", "below").symlink("c", "b"));
        stack.apply(layer().file("a", "file now")
                .folder("b")
                .file("b/y", "")
                .file("c", "no link")
                .file("d", "first")
                .symlink("d", "b")
                .folder("d")
                .file("d/z", "")
                .folder("e")
                .file("e/gone", "")
                .file("e", "last", mode(0)));
        assertThat(stack.names()).containsExactly(".", "a", "b", "b/y", "c", "d", "d/z", "e");
        assertThat(stack.tree().get("a")).contains("file now");
        assertThat(stack.tree().get("c")).contains("no link");
        assertThat(stack.tree().get("e")).startsWith("file 0000").contains("last");
    }

    // Whiteouts

    @ParameterizedTest
    @EnumSource
    final void whiteoutsRemoveWhatIsBelow(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("gone", "")
                .file("kept", "")
                .folder("d")
                .file("d/x", "")
                .file("d/y", ""));
        stack.apply(layer().whiteout("gone").whiteout("d/x").whiteout("never-was"));
        assertThat(stack.names()).containsExactly(".", "d", "d/y", "kept");
    }

    @ParameterizedTest
    @EnumSource
    final void anOpaqueFolderHidesWhatIsBelowAndNothingElse(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("d").file("d/old", "").folder("d/sub").file("d/sub/old", ""));
        stack.apply(layer().folder("d").file("d/before", "").opaque("d").file("d/after", ""));
        assertThat(stack.names()).containsExactly(".", "d", "d/after", "d/before");
    }

    @ParameterizedTest
    @EnumSource
    final void anOpaqueFolderNeedsNoEntryOfItsOwn(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().entry(EntryType.DIRECTORY, "d/", mode(0711)).file("d/old", ""));
        stack.apply(layer().opaque("d").file("d/new", ""));
        assertThat(stack.names()).containsExactly(".", "d", "d/new");
        assertThat(stack.tree().get("d")).startsWith("folder 0711");
    }

    @ParameterizedTest
    @EnumSource
    final void aFolderIsRemovedAndMadeAnewInOneLayer(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("d").file("d/old", "").file("d/other", ""));
        stack.apply(layer().whiteout("d").folder("d").file("d/new", ""));
        assertThat(stack.names()).containsExactly(".", "d", "d/new");
    }

    @ParameterizedTest
    @EnumSource
    final void aFolderIsRemovedAndMadeAnewByAFileInIt(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().entry(EntryType.DIRECTORY, "d/", mode(0700))
                .folder("d/e")
                .file("d/e/old", ""));
        stack.apply(layer().whiteout("d").file("d/e/new", ""));
        assertThat(stack.names()).containsExactly(".", "d", "d/e", "d/e/new");
        assertThat(stack.tree().get("d")).as("not like the one that is gone").startsWith("folder 0755");
    }

    @ParameterizedTest
    @EnumSource
    final void whatWasRemovedStaysRemovedUnderLaterLayers(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("d").file("d/old", "").file("f", ""));
        stack.apply(layer().whiteout("d").whiteout("f"));
        stack.apply(layer().file("d/new", "").folder("f"));
        assertThat(stack.names()).containsExactly(".", "d", "d/new", "f");
    }

    @ParameterizedTest
    @EnumSource
    final void aFileIsRemovedAndMadeAnewInOneLayer(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("f", "old").folder("d").file("d/x", ""));
        stack.apply(layer().whiteout("f").file("f", "new").whiteout("d").symlink("d", "f"));
        assertThat(stack.names()).containsExactly(".", "d", "f");
        assertThat(stack.tree().get("f")).contains("\"new\"");
        assertThat(stack.tree().get("d")).startsWith("link f");
    }

    @ParameterizedTest
    @EnumSource
    final void aufsOwnFilesAreLeftOut(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("f", ""));
        stack.apply(layer().folder(".wh..wh.plnk").file(".wh..wh.aufs", "").file("d/.wh..wh.orph", ""));
        assertThat(stack.names()).contains("f").noneMatch(name -> name.contains(".wh."));
    }

    // Links

    @ParameterizedTest
    @EnumSource
    final void hardLinksLeadToFilesOfLayersBelow(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().file(
                        "d/file",
                        "content",
                        entry ->
                                entry.mode(04711).owner(5, 6).modified(MODIFIED).xattr("user.a", "b")));
        stack.apply(layer().hardLink("e/hard", "d/file"));
        assertThat(stack.tree().get("e/hard")).isEqualTo("file 4711 5:6 links 2 user.a=b \"content\" " + MODIFIED);
        stack.see(root -> {
            assertThat(FileStat.of(root.resolve("e/hard")).inode())
                    .isEqualTo(FileStat.of(root.resolve("d/file")).inode());
            return true;
        });
    }

    @ParameterizedTest
    @EnumSource
    final void hardLinksToSymbolicLinksAreToTheLink(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        stack.apply(layer().file("f", "").symlink("soft", "f").hardLink("hard", "soft"));
        assertThat(stack.tree().get("hard")).startsWith("link f");
    }

    @ParameterizedTest
    @EnumSource
    final void hardLinksToWhatIsGoneAreRefused(Stacking stacking) throws IOException {
        onlyStrict();
        for (LayerArchive second : List.of(
                layer().whiteout("d").hardLink("hard", "d/file"),
                layer().whiteout("d/file").hardLink("hard", "d/file"),
                layer().folder("d").opaque("d").hardLink("hard", "d/file"))) {
            Stack stack = new Stack(stacking);
            stack.apply(layer().file("d/file", "secret"));
            assertThatThrownBy(() -> stack.apply(second))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("d/file");
        }
    }

    @ParameterizedTest
    @EnumSource
    final void hardLinksToWhatALayerBetweenRemovedAreRefused(Stacking stacking) throws IOException {
        onlyStrict();
        for (LayerArchive between : List.of(
                layer().whiteout("d"),
                layer().whiteout("d/file"),
                layer().opaque("d"),
                layer().whiteout("d").folder("d"),
                layer().file("d", "file"))) {
            Stack stack = new Stack(stacking);
            stack.apply(layer().file("d/file", "secret"));
            stack.apply(between);
            assertThatThrownBy(() -> stack.apply(layer().hardLink("hard", "d/file")))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("d/file");
        }
    }

    @ParameterizedTest
    @EnumSource
    final void entriesGoThroughLinksOfTheirLayerAndStayInside(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("below"));
        stack.apply(layer().folder("run")
                .folder("var")
                .symlink("var/run", "/run")
                .file("var/run/pid", "1")
                .symlink("dangling", "made/of/it")
                .file("dangling/file", "2"));
        assertThat(stack.names())
                .contains("run/pid", "made/of/it/file", "var/run")
                .doesNotContain("var/run/pid");
    }

    // Attributes that a layer must not have

    @ParameterizedTest
    @EnumSource
    final void attributesThatSteerOverlayfsAreNotTaken(Stacking stacking) throws IOException {
        onlyStrict();
        Stack stack = new Stack(stacking);
        stack.apply(layer().folder("d").file("d/secret", "s").folder("e").file("e/file", ""));
        stack.apply(layer().entry(
                        EntryType.DIRECTORY,
                        "e/",
                        entry -> entry.xattr("trusted.overlay.opaque", "y")
                                .xattr("trusted.overlay.redirect", "/d")
                                .xattr("trusted.mine", "1")
                                .xattr("user.overlay.opaque", "y")
                                .xattr("user.kept", "1")));
        assertThat(stack.names()).containsExactly(".", "d", "d/secret", "e", "e/file");
        Path written = stack.folders.getFirst().resolve("e");
        assertThat(Xattrs.list(written))
                .contains("user.kept")
                .noneMatch(name -> name.startsWith("trusted.") || name.startsWith("user.overlay."));
    }

    // Results and media types

    static Stream<Arguments> mediaTypes() {
        String foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar";
        String nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar";
        return Stream.of(
                Arguments.of(MediaTypes.OCI_LAYER, Compression.NONE),
                Arguments.of(MediaTypes.OCI_LAYER_GZIP, Compression.GZIP),
                Arguments.of(MediaTypes.OCI_LAYER_ZSTD, Compression.ZSTD),
                Arguments.of(nondistributable, Compression.NONE),
                Arguments.of(nondistributable + "+gzip", Compression.GZIP),
                Arguments.of(nondistributable + "+zstd", Compression.ZSTD),
                Arguments.of(MediaTypes.DOCKER_LAYER, Compression.NONE),
                Arguments.of(MediaTypes.DOCKER_LAYER_GZIP, Compression.GZIP),
                Arguments.of(MediaTypes.DOCKER_LAYER_ZSTD, Compression.ZSTD),
                Arguments.of(foreign + ".gzip", Compression.GZIP),
                // Docker's plain type and all compressed ones are told by their first bytes.
                Arguments.of(MediaTypes.DOCKER_LAYER, Compression.GZIP),
                Arguments.of(MediaTypes.OCI_LAYER_GZIP, Compression.ZSTD),
                Arguments.of(MediaTypes.OCI_LAYER_GZIP, Compression.NONE),
                Arguments.of(MediaTypes.OCI_LAYER_ZSTD, Compression.GZIP));
    }

    @ParameterizedTest
    @MethodSource("mediaTypes")
    final void theAnswerIsTheDiffIdWhateverTheCompression(String mediaType, Compression compression)
            throws IOException {
        if (mediaType.equals(MediaTypes.DOCKER_LAYER_ZSTD)) {
            onlyStrict();
        }
        LayerArchive layer = layer().file("file", "content");
        Stack stack = new Stack(Stacking.PLAIN);
        Descriptor applied = stack.apply(layer.bytes(compression), mediaType);
        assertThat(applied.mediaType()).isEqualTo(MediaTypes.OCI_LAYER);
        assertThat(applied.digest()).isEqualTo(Digest.sha256(layer.bytes()));
        assertThat(applied.size()).isEqualTo(layer.bytes().length);
        assertThat(stack.names()).containsExactly(".", "file");
    }

    @Test
    final void whatIsBehindTheEndOfTheArchiveBelongsToTheDiffId() throws IOException {
        byte[] archive = layer().file("file", "").bytes();
        byte[] padded = Arrays.copyOf(archive, archive.length + 300_000);
        Descriptor applied = new Stack(Stacking.PLAIN)
                .apply(LayerArchive.compress(Compression.GZIP, padded), MediaTypes.OCI_LAYER_GZIP);
        assertThat(applied.digest()).isEqualTo(Digest.sha256(padded));
        assertThat(applied.size()).isEqualTo(padded.length);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "application/octet-stream",
                "application/vnd.oci.image.layer.v1.tar+nothing",
                "application/vnd.oci.image.layer.v1.tar+gzip+nothing",
                "application/vnd.oci.image.layer.v1.tar+bzip2",
                "application/vnd.oci.image.layer.v1.tar.gzip",
                "application/vnd.docker.image.rootfs.diff.tar+gzip",
                "application/vnd.oci.image.manifest.v1+json",
            })
    final void aMediaTypeThatIsNoLayersIsForAnotherDiffer(String mediaType) {
        onlyStrict();
        Stack stack = stack();
        assertThatThrownBy(() -> stack.apply(layer().file("f", "").bytes(), mediaType))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("\"" + mediaType + "\"");
        assertThat(stack.folders.getFirst()).isEmptyDirectory();
    }

    @Test
    final void aLayerThatIsNotThereIsNotFound() {
        Digest digest = Digest.sha256(new byte[] {1});
        Stack stack = stack();
        assertThatThrownBy(() -> applier.apply(
                        context, new Descriptor(MediaTypes.OCI_LAYER, digest, 1), stack.next(), Map.of(), false))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining(digest.toString());
    }

    @Test
    final void fileSystemsAreFlushedIfThatIsAskedFor() throws IOException {
        Stack stack = stack();
        Descriptor layer = store(layer().file("f", "").bytes(), MediaTypes.OCI_LAYER);
        assertThat(applier.apply(context, layer, stack.next(), Map.of(), true).size())
                .isPositive();
        assertThat(stack.names()).containsExactly(".", "f");
    }

    @ParameterizedTest
    @ValueSource(strings = {"nosuchfs", "mkfs/ext4", "fuse.nosuch", ""})
    final void aMountOfUnknownTypeIsRefusedByNameAndNothingIsLost(String type) throws IOException {
        onlyStrict();
        Stack stack = stack();
        stack.apply(layer().file("f", "before"));
        Map<String, String> before = stack.tree();
        Descriptor layer = store(layer().file("f", "after").bytes(), MediaTypes.OCI_LAYER);
        List<Mount> unknown =
                List.of(new Mount(type, stack.writable().getFirst().source(), List.of()));
        assertThatThrownBy(() -> applier.apply(context, layer, unknown, Map.of(), false))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("mount type \"%s\"".formatted(type));
        assertThat(disk.resolve("scratch")).isEmptyDirectory();
        assertThat(stack.tree()).isEqualTo(before);
        assertThat(content.info(context, layer.digest()).size()).isEqualTo(layer.size());
        assertThat(applier.apply(context, layer, stack.next(), Map.of(), false).size())
                .isPositive();
        assertThat(stack.tree().get("f")).contains("after");
    }

    @Test
    final void nothingIsLeftMounted() throws IOException {
        onlyStrict();
        Stack stack = stack();
        stack.apply(layer().file("f", ""));
        assertThatThrownBy(
                        () -> stack.apply("no tar".repeat(200).getBytes(StandardCharsets.UTF_8), MediaTypes.OCI_LAYER))
                .isInstanceOf(InvalidArgumentException.class);
        assertThat(disk.resolve("scratch")).isEmptyDirectory();
    }

    // Comparing

    private Descriptor compare(List<Mount> lower, List<Mount> upper) {
        return comparer.compare(context, lower, upper, new CompareOptions("", "", Map.of(), Optional.empty()));
    }

    private List<String> namesIn(Descriptor layer) throws IOException {
        List<String> names = new ArrayList<>();
        TarReader reader = new TarReader(
                Compression.decompress(new ByteArrayInputStream(read(layer))), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        for (Optional<TarEntry> entry = reader.next(); entry.isPresent(); entry = reader.next()) {
            names.add(ByteStrings.text(entry.get().name()));
        }
        return names;
    }

    /** Changes a tree in every way there is, the same for the same seed. */
    private static void change(Path root, Random random) throws IOException {
        for (int i = 0; i < 25; i++) {
            Path folder = pick(root, random, true);
            Path name = folder.resolve("n" + random.nextInt(12));
            boolean there = Files.exists(name, LinkOption.NOFOLLOW_LINKS);
            switch (random.nextInt(10)) {
                case 0, 1 -> {
                    if (!there) {
                        Files.createDirectory(name);
                    }
                }
                case 2, 3 -> {
                    if (!there) {
                        Files.writeString(name, "content " + random.nextInt(1000));
                    }
                }
                case 4 -> {
                    if (!there) {
                        Files.createSymbolicLink(name, Path.of("../n" + random.nextInt(12)));
                    }
                }
                case 5 -> {
                    if (!there) {
                        FileCalls.mknod(name, FileStat.S_IFCHR | 0640, 5, 1 + random.nextInt(5));
                    }
                }
                case 6 -> remove(pick(root, random, false), root);
                case 7 -> {
                    Path target = pick(root, random, false);
                    if (!Files.isSymbolicLink(target) && !target.equals(root)) {
                        FileCalls.lchown(target, random.nextInt(3), random.nextInt(3));
                        FileCalls.chmod(target, 0700 | random.nextInt(0100) | random.nextInt(2) << 11);
                    }
                }
                case 8 -> {
                    Path target = pick(root, random, false);
                    if (Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS)) {
                        Files.writeString(target, "changed " + random.nextInt(1000));
                        Xattrs.set(target, "user.r" + random.nextInt(3), new byte[] {(byte) random.nextInt(128)});
                    }
                }
                default -> {
                    Path target = pick(root, random, false);
                    FileCalls.times(target, MODIFIED, MODIFIED.plusSeconds(random.nextInt(100)));
                }
            }
        }
    }

    private static Path pick(Path root, Random random, boolean folders) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            List<Path> all = paths.filter(path -> !folders || Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
                    .sorted()
                    .toList();
            return all.get(random.nextInt(all.size()));
        }
    }

    private static void remove(Path path, Path root) throws IOException {
        if (path.equals(root)) {
            return;
        }
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            try (Stream<Path> children = Files.list(path)) {
                for (Path child : children.toList()) {
                    remove(child, root);
                }
            }
        }
        Files.delete(path);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    final void theDifferenceOfTwoSnapshotsAppliedAgainGivesTheSameTree(long seed) throws IOException {
        onlyStrict();
        Random random = new Random(seed);
        Stack original = new Stack(Stacking.OVERLAY);
        List<Mount> first = original.next();
        change(original.folders.getFirst(), random);
        Stack copy = new Stack(seed % 2 == 0 ? Stacking.OVERLAY : Stacking.PLAIN);
        copy.apply(read(compare(List.of(), first)), MediaTypes.OCI_LAYER_GZIP);
        assertThat(withoutRoot(copy.tree())).isEqualTo(withoutRoot(original.tree()));
        for (int layers = 1; layers <= 2; layers++) {
            List<Mount> before = original.writable();
            List<Mount> after = original.next();
            Mounts.withTempMount(after, disk.resolve("scratch"), root -> {
                change(root, random);
                return true;
            });
            copy.apply(read(compare(before, after)), MediaTypes.OCI_LAYER_GZIP);
            assertThat(withoutRoot(copy.tree())).isEqualTo(withoutRoot(original.tree()));
        }
    }

    /** Times of folders change when their entries do; which is no difference that a layer tells. */
    private static Map<String, String> withoutRoot(Map<String, String> tree) {
        Map<String, String> rest = new TreeMap<>();
        tree.forEach((name, text) -> {
            if (!name.equals(".")) {
                rest.put(name, text.startsWith("folder") ? text.replaceFirst(" [^ ]+Z$", "") : text);
            }
        });
        return rest;
    }

    @Test
    final void theSameTreesGiveTheSameLayer() throws IOException {
        Stack stack = new Stack(Stacking.OVERLAY);
        List<Mount> mounts = stack.next();
        change(stack.folders.getFirst(), new Random(1));
        assertThat(compare(List.of(), mounts)).isEqualTo(compare(List.of(), mounts));
    }

    @Test
    final void ofEqualTreesTheLayerIsEmpty() throws IOException {
        Stack stack = new Stack(Stacking.OVERLAY);
        stack.apply(layer().file("d/f", "").symlink("l", "f"));
        List<Mount> before = stack.writable();
        assertThat(namesIn(compare(before, stack.next()))).isEmpty();
    }

    @Test
    final void socketsAreLeftOut() throws IOException {
        Stack stack = new Stack(Stacking.PLAIN);
        List<Mount> mounts = stack.next();
        Path root = stack.folders.getFirst();
        Files.createFile(root.resolve("file"));
        FileCalls.mknod(root.resolve("fifo"), FileStat.S_IFIFO | 0600, 0, 0);
        Path socket = Files.createTempDirectory("s").resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            FileCalls.mknod(root.resolve("socket"), FileStat.S_IFSOCK | 0600, 0, 0);
            assertThat(namesIn(compare(List.of(), mounts))).containsExactly("fifo", "file");
        } finally {
            Files.delete(socket);
        }
    }

    @Test
    final void namesOfOtherCharacterSetsAreKept() throws IOException {
        Stack stack = new Stack(Stacking.PLAIN);
        byte[] latin = {'l', (byte) 0xe4, (byte) 0xff};
        stack.apply(layer().add(
                        TarEntry.builder(EntryType.FILE, ByteStrings.of(latin)).build(), new byte[0]));
        Stack copy = new Stack(Stacking.PLAIN);
        Descriptor layer = compare(List.of(), stack.writable());
        TarReader reader = new TarReader(
                Compression.decompress(new ByteArrayInputStream(read(layer))), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        assertThat(reader.next().orElseThrow().name()).isEqualTo(ByteStrings.of(latin));
        assertThat(copy.apply(read(layer), MediaTypes.OCI_LAYER_GZIP).size()).isPositive();
    }

    @Test
    final void hardLinksStayTogether() throws IOException {
        Stack stack = new Stack(Stacking.PLAIN);
        stack.apply(layer().file("a", "content").hardLink("b", "a").hardLink("d/c", "a"));
        Stack copy = new Stack(Stacking.PLAIN);
        copy.apply(read(compare(List.of(), stack.writable())), MediaTypes.OCI_LAYER_GZIP);
        assertThat(copy.tree().get("d/c")).contains("links 3").contains("\"content\"");
    }

    /** Whose target is in the layer itself: appliers of others do not see the layers below. */
    @Test
    final void aNewHardLinkToAnUnchangedFileBringsAllOfItsNames() throws IOException {
        Stack stack = new Stack(Stacking.PLAIN);
        stack.apply(layer().file("a", "content").hardLink("d/c", "a").file("other", ""));
        Stack before = new Stack(Stacking.PLAIN);
        before.apply(layer().file("a", "content").hardLink("d/c", "a").file("other", ""));
        Files.createLink(
                stack.folders.getFirst().resolve("b"), stack.folders.getFirst().resolve("a"));
        Descriptor layer = compare(before.writable(), stack.writable());
        assertThat(namesIn(layer)).contains("b", "a", "d/c").doesNotContain("other");
        before.apply(read(layer), MediaTypes.OCI_LAYER_GZIP);
        for (String name : List.of("a", "b", "d/c")) {
            assertThat(before.tree().get(name)).contains("links 3").contains("\"content\"");
        }
    }

    static Stream<Arguments> madeTypes() {
        return Stream.of(
                Arguments.of("", MediaTypes.OCI_LAYER_GZIP, Compression.GZIP),
                Arguments.of(MediaTypes.OCI_LAYER, MediaTypes.OCI_LAYER, Compression.NONE),
                Arguments.of(MediaTypes.OCI_LAYER_GZIP, MediaTypes.OCI_LAYER_GZIP, Compression.GZIP),
                Arguments.of(MediaTypes.OCI_LAYER_ZSTD, MediaTypes.OCI_LAYER_ZSTD, Compression.ZSTD),
                Arguments.of(MediaTypes.DOCKER_LAYER_GZIP, MediaTypes.DOCKER_LAYER_GZIP, Compression.GZIP));
    }

    @ParameterizedTest
    @MethodSource("madeTypes")
    final void theBlobHasTheLabelsThatWereAskedForAndItsDiffId(String asked, String mediaType, Compression compression)
            throws IOException {
        onlyStrict();
        Stack stack = new Stack(Stacking.PLAIN);
        stack.apply(layer().file("f", "content"));
        Descriptor layer = comparer.compare(
                context,
                List.of(),
                stack.writable(),
                new CompareOptions(asked, "my-ref", Map.of("my.label", "value"), Optional.empty()));
        byte[] blob = read(layer);
        byte[] plain = Compression.decompress(new ByteArrayInputStream(blob)).readAllBytes();
        assertThat(layer.mediaType()).isEqualTo(mediaType);
        assertThat(layer.digest()).isEqualTo(Digest.sha256(blob));
        assertThat(layer.size()).isEqualTo(blob.length);
        assertThat(Compression.detect(blob)).isEqualTo(compression);
        Map<String, String> labels = content.info(context, layer.digest()).labels();
        assertThat(labels).containsEntry("my.label", "value");
        if (compression != Compression.NONE) {
            assertThat(labels)
                    .containsEntry(
                            "containerd.io/uncompressed", Digest.sha256(plain).toString());
        }
        assertThat(content.statuses(context, List.of())).as("no ingest is left").isEmpty();
    }

    @Test
    final void timesAreNotLaterThanTheEpochAskedFor() throws IOException {
        onlyStrict();
        Stack stack = new Stack(Stacking.PLAIN);
        stack.apply(layer().file("early", "", entry -> entry.modified(MODIFIED.minusSeconds(5)))
                .file("late", "", entry -> entry.modified(MODIFIED.plusSeconds(5))));
        Descriptor layer = comparer.compare(
                context, List.of(), stack.writable(), new CompareOptions("", "", Map.of(), Optional.of(MODIFIED)));
        TarReader reader = new TarReader(
                Compression.decompress(new ByteArrayInputStream(read(layer))), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        assertThat(reader.next().orElseThrow().modified()).isEqualTo(MODIFIED.minusSeconds(5));
        assertThat(reader.next().orElseThrow().modified()).isEqualTo(MODIFIED);
    }

    @Test
    final void aMediaTypeThatCannotBeMadeIsForAnotherDiffer() throws IOException {
        Stack stack = new Stack(Stacking.PLAIN);
        List<Mount> mounts = stack.next();
        assertThatThrownBy(() -> comparer.compare(
                        context,
                        List.of(),
                        mounts,
                        new CompareOptions("application/unknown", "", Map.of(), Optional.empty())))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("application/unknown");
    }

    @Test
    final void manyLayersAreAppliedAtOnce() throws Exception {
        List<Stack> stacks = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            stacks.add(new Stack(Stacking.OVERLAY));
        }
        try (var workers = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = IntStream.range(0, stacks.size())
                    .mapToObj(i -> workers.submit(() -> {
                        LayerArchive layer = layer();
                        for (int k = 0; k < 200; k++) {
                            layer.file("d" + k % 7 + "/f" + k, "content " + i);
                        }
                        Descriptor stored;
                        synchronized (this) {
                            stored = store(layer.bytes(), MediaTypes.OCI_LAYER);
                        }
                        return applier.apply(context, stored, stacks.get(i).next(), Map.of(), false);
                    }))
                    .toList();
            for (var result : results) {
                assertThat(result.get().size()).isPositive();
            }
        }
        for (Stack stack : stacks) {
            assertThat(stack.names()).hasSize(1 + 7 + 200);
        }
    }
}
