package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.TarEntry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** What the contracts of differs stand on: a small disk, a content store, the differ, and layers that are stacked on mounts. */
public abstract class DifferFixture {

    static final Instant MODIFIED = Instant.ofEpochSecond(1_500_000_000, 123_456_789);
    static final int DISK_BYTES = 24 << 20;

    final CallContext context = CallContext.of(namespace(), Duration.ofMinutes(2));

    @TempDir
    Path disk;

    ContentStore content;
    Applier applier;
    Comparer comparer;
    Path outside;
    int blobs;

    /** What is tested. */
    public record Differ(Applier applier, Comparer comparer) {}

    /** That all calls are made in. */
    protected String namespace() {
        return "contract";
    }

    /** Whether all is asked for that Longshore's own differ does, which is more than containerd's does. */
    protected boolean isStrict() {
        return true;
    }

    /** Begins a sentence of which containerd's own differ does not do all. */
    final void onlyStrict() {
        assumeTrue(isStrict(), "containerd's own differ does not do all of it: asked for with --strict");
    }

    /** Opens a content store, which keeps labels, below {@code root}. Closed with {@link #closeAll}. */
    protected abstract ContentStore openContent(Path root) throws Exception;

    /** @param scratch an empty folder for mounts */
    protected abstract Differ open(ContentStore store, Path scratch) throws Exception;

    /** Closes what was opened. */
    protected abstract void closeAll() throws Exception;

    /** How layers are stacked: each in a folder of its own, joined by overlayfs, or all written to one folder. */
    public enum Stacking {
        OVERLAY,
        PLAIN
    }

    /** Layers that were applied one upon the other. */
    final class Stack {

        final Stacking stacking;
        final List<Path> folders = new ArrayList<>();
        final Path root;

        Stack(Stacking stacking) throws IOException {
            this.stacking = stacking;
            this.root = Files.createTempDirectory(disk.resolve("stacks"), "stack");
        }

        List<Mount> next() throws IOException {
            if (stacking == Stacking.PLAIN && !folders.isEmpty()) {
                return writable();
            }
            folders.addFirst(Files.createDirectory(root.resolve("layer" + folders.size())));
            FileCalls.chmod(folders.getFirst(), 0755);
            return writable();
        }

        /** The topmost folder over the others. */
        List<Mount> writable() throws IOException {
            if (folders.size() == 1) {
                return List.of(new Mount("bind", folders.getFirst().toString(), List.of("rbind", "rw")));
            }
            Path work = Files.createDirectories(root.resolve("work" + folders.size()));
            String lower = String.join(
                    ":", folders.stream().skip(1).map(Path::toString).toList());
            return List.of(new Mount(
                    "overlay",
                    "overlay",
                    List.of("lowerdir=" + lower, "upperdir=" + folders.getFirst(), "workdir=" + work)));
        }

        Descriptor apply(LayerArchive layer) throws IOException {
            return apply(layer.bytes(), MediaTypes.OCI_LAYER);
        }

        Descriptor apply(byte[] blob, String mediaType) throws IOException {
            return applier.apply(context, store(blob, mediaType), next(), Map.of(), false);
        }

        /** As a container would see it. */
        <T> T see(Mounts.Action<T> action) throws IOException {
            return Mounts.withTempMount(Mounts.readOnly(writable()), disk.resolve("scratch"), action);
        }

        Map<String, String> tree() throws IOException {
            return see(DifferFixture::describe);
        }

        List<String> names() throws IOException {
            return List.copyOf(tree().keySet());
        }
    }

    @BeforeEach
    final void openOnASmallDisk() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        Mounts.mountAll(List.of(new Mount("tmpfs", "tmpfs", List.of("size=" + DISK_BYTES))), disk);
        Path scratch = Files.createDirectory(disk.resolve("scratch"));
        Files.createDirectory(disk.resolve("stacks"));
        outside = Files.createDirectory(disk.resolve("outside"));
        FileCalls.chmod(Files.writeString(outside.resolve("victim"), "untouched"), 0600);
        content = openContent(disk.resolve("store"));
        Differ differ = open(content, scratch);
        applier = differ.applier();
        comparer = differ.comparer();
    }

    @AfterEach
    final void close() throws Exception {
        closeAll();
        Mounts.unmountAll(disk);
    }

    Descriptor store(byte[] blob, String mediaType) {
        Digest digest = Digest.sha256(blob);
        try (ContentWriter writer =
                content.writer(context, new WriterRequest("blob" + blobs++, blob.length, Optional.of(digest)))) {
            int there = (int) writer.status().offset();
            writer.write(ByteBuffer.wrap(blob, there, blob.length - there));
            writer.commit(blob.length, Optional.of(digest), Map.of());
        } catch (AlreadyExistsException e) {
            assertThat(content.info(context, digest).size()).isEqualTo(blob.length);
        }
        return new Descriptor(mediaType, digest, blob.length);
    }

    byte[] read(Descriptor blob) {
        try (ContentReader reader = content.reader(context, blob.digest())) {
            ByteBuffer buffer = ByteBuffer.allocate((int) reader.size());
            while (buffer.hasRemaining()) {
                assertThat(reader.read(buffer, buffer.position())).isPositive();
            }
            return buffer.array();
        }
    }

    /** All of a tree that a layer can say. */
    static Map<String, String> describe(Path root) throws IOException {
        Map<String, String> tree = new TreeMap<>();
        for (Map.Entry<String, String> file : FileTree.of(root).entrySet()) {
            Path path = root.resolve(file.getKey());
            String capability = Xattrs.get(path, "security.capability")
                    .map(value -> " capability " + Arrays.toString(value))
                    .orElse("");
            tree.put(file.getKey(), file.getValue() + " " + FileStat.of(path).modified() + capability);
        }
        return tree;
    }

    static LayerArchive layer() {
        return new LayerArchive();
    }

    static UnaryOperator<TarEntry.Builder> mode(int mode) {
        return entry -> entry.mode(mode);
    }

    Stack stack() {
        try {
            return new Stack(Stacking.PLAIN);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
