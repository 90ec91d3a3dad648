package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.Errors;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What every {@link Applier} does with layers that are hostile or damaged: nothing is written outside of the root, a refusal is of
 * the right class and names what and why, and nothing that was acknowledged is lost.
 */
public abstract class HostileLayersContract extends DifferFixture {

    /** What is refused, with what the error names; and what is taken, with the names that it leads to. */
    private record Hostile(String what, LayerArchive layer, Optional<String> error, List<String> made) {

        static Hostile refused(String what, LayerArchive layer, String error) {
            return new Hostile(what, layer, Optional.of(error), List.of());
        }

        static Hostile contained(String what, LayerArchive layer, String... made) {
            return new Hostile(what, layer, Optional.empty(), List.of(made));
        }

        @Override
        public String toString() {
            return what;
        }
    }

    private Stream<Hostile> hostile() {
        String up = "../".repeat(20);
        String victim = outside.resolve("victim").toString();
        String folder = outside.toString();
        return Stream.of(
                Hostile.contained("dots", layer().file(up + "x", "").file("a/../../../y", ""), "x", "y"),
                Hostile.contained("an absolute name", layer().file(folder + "/x", ""), folder.substring(1) + "/x"),
                Hostile.contained(
                        "a link out and a file through it",
                        layer().symlink("l", folder).file("l/x", "hit"),
                        "l",
                        folder.substring(1) + "/x"),
                Hostile.contained(
                        "a link up and a file through it",
                        layer().symlink("l", up).file("l/x", "hit"),
                        "l",
                        "x"),
                Hostile.contained(
                        "a link to a file and that file anew",
                        layer().symlink("l", victim).file("l", "hit", mode(04777)),
                        "l"),
                Hostile.contained(
                        "a link to a folder and that folder anew",
                        layer().symlink("l", folder).folder("l").file("l/victim", "hit"),
                        "l",
                        "l/victim"),
                Hostile.contained(
                        "a folder exchanged for a link",
                        layer().folder("a").file("a/x", "").symlink("a", folder).file("a/victim", "hit"),
                        "a",
                        folder.substring(1) + "/victim"),
                Hostile.contained(
                        "links upon links",
                        layer().symlink("a", folder).symlink("b", "a").file("b/victim", "hit"),
                        folder.substring(1) + "/victim"),
                Hostile.contained(
                        "a link and its folder's attributes (CVE-2021-32760)",
                        layer().symlink("l", victim)
                                .entry(
                                        EntryType.SYMLINK,
                                        "m",
                                        entry -> entry.linkName(victim)
                                                .mode(0777)
                                                .owner(1, 1)
                                                .modified(MODIFIED)),
                        "l",
                        "m"),
                Hostile.refused(
                        "a hard link to a link out, and a change through it",
                        layer().symlink("l", victim)
                                .hardLink("h", "l")
                                .file("x/h", "")
                                .hardLink("h2", victim),
                        victim.substring(1)),
                Hostile.refused("a hard link out", layer().hardLink("h", victim), "victim"),
                Hostile.refused("a hard link up", layer().hardLink("h", up + victim), "victim"),
                Hostile.refused(
                        "a hard link through a link",
                        layer().symlink("l", folder).hardLink("h", "l/victim"),
                        "l/victim"),
                Hostile.refused("a hard link to nothing", layer().hardLink("h", "missing"), "missing"),
                Hostile.refused("a hard link to itself", layer().file("h", "").hardLink("h", "h"), "\"h\""),
                Hostile.refused("a hard link to a folder", layer().folder("d").hardLink("h", "d"), "\"h\""),
                Hostile.refused("a hard link to the root", layer().hardLink("h", "/"), "root"),
                Hostile.refused("a whiteout of nothing", layer().file("d/.wh.", ""), "d/.wh."),
                Hostile.refused("a whiteout of the folder", layer().file("d/.wh..", ""), "d/.wh.."),
                Hostile.refused("a whiteout of the parent", layer().file("d/.wh...", ""), "d/.wh..."),
                Hostile.contained(
                        "links that go round and round",
                        layer().symlink("a", "b").symlink("b", "a"),
                        "a",
                        "b"),
                Hostile.refused(
                        "a file through such links",
                        layer().symlink("a", "b").symlink("b", "a").file("a/x", ""),
                        "a/x"),
                Hostile.contained(
                        "a magic link",
                        layer().symlink("l", "/proc/self/root" + folder).file("l/x", ""),
                        "l"),
                Hostile.refused("a name of more than 255 bytes", layer().file("n".repeat(256), ""), "n".repeat(256)),
                Hostile.refused("a target of more than 4095 bytes", layer().symlink("l", "t".repeat(4096)), "\"l\""),
                Hostile.refused(
                        "an owner of more than 32 bits",
                        layer().entry(EntryType.FILE, "f", entry -> entry.owner(1L << 32, 0)),
                        "4294967296"),
                Hostile.refused(
                        "a device of more than 32 bits",
                        layer().entry(EntryType.CHARACTER_DEVICE, "f", entry -> entry.device(1L << 33, 0)),
                        "8589934592"),
                Hostile.refused(
                        "an attribute of more than 64 KiB",
                        layer().file("f", "", entry -> entry.xattr("user.big", "v".repeat(70_000))),
                        "\"f\""),
                Hostile.refused(
                        "an attribute of a long name",
                        layer().file("f", "", entry -> entry.xattr("user." + "n".repeat(300), "v")),
                        "\"f\""),
                Hostile.contained(
                        "the root as a link", layer().symlink("/", folder).file("x", ""), "x"),
                Hostile.contained(
                        "the root as a file", layer().file("..", "content").file("x", ""), "x"));
    }

    @ParameterizedTest
    @EnumSource
    final void nothingIsWrittenOutsideOfTheRoot(Stacking stacking) throws IOException {
        Map<String, String> before = describe(outside);
        for (Hostile hostile : hostile().toList()) {
            Stack stack = new Stack(stacking);
            stack.apply(layer().file("below", ""));
            if (hostile.error.isPresent()) {
                assertThatThrownBy(() -> stack.apply(hostile.layer))
                        .as(hostile.what)
                        .isInstanceOf(InvalidArgumentException.class)
                        .hasMessageContaining("layer sha256:")
                        .hasMessageContaining(hostile.error.get());
            } else {
                assertThat(stack.apply(hostile.layer).size()).as(hostile.what).isPositive();
                assertThat(stack.names()).as(hostile.what).contains("below").containsAll(hostile.made);
            }
            assertThat(describe(outside)).as(hostile.what).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @EnumSource
    final void whiteoutsStayInside(Stacking stacking) throws IOException {
        Map<String, String> before = describe(outside);
        String folder = outside.toString();
        String inner = folder.substring(1) + "/victim";
        for (LayerArchive hostile : List.of(
                layer().symlink("l", folder).file("l/.wh.victim", ""),
                layer().symlink("l", folder).opaque("l"),
                layer().file("../".repeat(20) + folder.substring(1) + "/.wh.victim", ""))) {
            Stack stack = new Stack(stacking);
            stack.apply(layer().file("below", "").file(inner, ""));
            stack.apply(hostile);
            assertThat(stack.names()).contains("below").doesNotContain(inner);
            assertThat(describe(outside)).isEqualTo(before);
        }
    }

    /** The depth of a tree is bounded by no path's length, and must be by no stack's. */
    @ParameterizedTest
    @EnumSource
    final void deepTreesAreWrittenAndRemoved(Stacking stacking) throws IOException {
        Stack stack = new Stack(stacking);
        stack.apply(layer().file("below", ""));
        String deep = "d/".repeat(1900);
        stack.apply(layer().file(deep + "f", "")
                .symlink("l", deep.substring(0, deep.length() - 1))
                .file("l/" + deep + "g", "")
                .file("d", "no folder any more"));
        assertThat(stack.names()).containsExactly(".", "below", "d", "l");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "junk that is no archive     | no tar archive",
                "PK\u0003\u0004                 | no tar archive",
            })
    final void whatIsNoArchiveIsRefused(String start, String why) {
        byte[] blob = Arrays.copyOf(start.getBytes(StandardCharsets.UTF_8), 4096);
        for (Compression compression : Compression.values()) {
            String mediaType = compression == Compression.ZSTD ? MediaTypes.OCI_LAYER_ZSTD : MediaTypes.OCI_LAYER_GZIP;
            assertRefused(LayerArchive.compress(compression, blob), mediaType, why);
        }
        assertRefused(blob, MediaTypes.OCI_LAYER, why);
    }

    private void assertRefused(byte[] blob, String mediaType, String why) {
        Digest digest = Digest.sha256(blob);
        assertThatThrownBy(() -> stack().apply(blob, mediaType))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("layer " + digest)
                .hasMessageContaining(why);
    }

    /** A type that says "not compressed" is believed, as containerd does. */
    @Test
    final void aPlainOciLayerIsNotUncompressed() {
        LayerArchive layer = layer();
        for (int i = 0; i < 300; i++) {
            layer.file("f" + i, "content " + i);
        }
        assertRefused(layer.bytes(Compression.GZIP), MediaTypes.OCI_LAYER, "no tar archive");
    }

    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    final void compressedLayersThatAreDamagedAreRefused(Compression compression) {
        String mediaType = compression == Compression.ZSTD ? MediaTypes.OCI_LAYER_ZSTD : MediaTypes.OCI_LAYER_GZIP;
        byte[] plain = layer().file("f", "content".repeat(20_000)).bytes();
        byte[] packed = LayerArchive.compress(compression, plain);
        assertRefused(Arrays.copyOf(packed, packed.length / 2), mediaType, "stream");
        assertRefused(Arrays.copyOf(packed, packed.length - 1), mediaType, "stream");
        byte[] damaged = packed.clone();
        for (int i = 20; i < 40; i++) {
            damaged[i] ^= 0x55;
        }
        assertRefused(damaged, mediaType, "");
        byte[] longer = Arrays.copyOf(packed, packed.length + 10);
        Arrays.fill(longer, packed.length, longer.length, (byte) 'j');
        assertRefused(longer, mediaType, "stream");
    }

    @Test
    final void anArchiveThatIsCutOffIsRefused() {
        byte[] plain = layer().file("f", "content".repeat(1000)).bytes();
        assertRefused(Arrays.copyOf(plain, 3000), MediaTypes.OCI_LAYER, "in the middle of a file");
        assertRefused(Arrays.copyOf(plain, 100), MediaTypes.OCI_LAYER, "in the middle of a header");
    }

    @Test
    final void aBlobOfAnotherSizeThanItsDescriptorIsRefused() {
        Descriptor stored = store(layer().file("f", "").bytes(), MediaTypes.OCI_LAYER);
        Stack stack = stack();
        assertThatThrownBy(() -> applier.apply(
                        context,
                        new Descriptor(stored.mediaType(), stored.digest(), stored.size() + 1),
                        stack.next(),
                        Map.of(),
                        false))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(stored.digest().toString())
                .hasMessageContaining("%d bytes".formatted(stored.size()));
        assertThat(stack.folders.getFirst()).isEmptyDirectory();
    }

    /** Hundreds of megabytes out of one; the disk is smaller, and the memory of a daemon too. */
    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    final void aBombFillsTheDiskAndNothingElse(Compression compression) throws IOException {
        Descriptor kept = store(layer().file("kept", "content").bytes(), MediaTypes.OCI_LAYER);
        byte[] zeros = new byte[DISK_BYTES + (8 << 20)];
        String mediaType = compression == Compression.ZSTD ? MediaTypes.OCI_LAYER_ZSTD : MediaTypes.OCI_LAYER_GZIP;
        byte[] bomb = layer().add(
                        TarEntry.builder(EntryType.FILE, "zeros")
                                .size(zeros.length)
                                .build(),
                        zeros)
                .bytes(compression);
        Stack stack = stack();
        assertThatThrownBy(() -> stack.apply(bomb, mediaType))
                .satisfies(error -> assertThat(Errors.classify(error))
                        .isInstanceOf(ResourceExhaustedException.class)
                        .hasMessageContaining("layer sha256:")
                        .hasMessageContaining("free some space"));
        // What was acknowledged before is there, and all goes on once there is space.
        Files.delete(stack.folders.getFirst().resolve("zeros"));
        Stack next = stack();
        assertThat(applier.apply(context, kept, next.next(), Map.of(), false).digest())
                .isEqualTo(kept.digest());
        assertThat(next.names()).containsExactly(".", "kept");
    }
}
