package dev.longshore.stargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.stargz.layer.ServedBlob;
import dev.longshore.stargz.layer.ServedBlob.Mood;
import dev.longshore.stargz.layer.Traffic;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots whose layer is mounted, from the call that asks for one to the mount's end. */
class LazySnapshotsIT {

    private static final String REF = "containerd.io/snapshot.ref";
    private static final String NAME = "sha256:layer";
    private static final CallContext CONTEXT = CallContext.of("lazy", Duration.ofMinutes(1));

    @TempDir
    private Path folder;

    private final byte[] content = new byte[500_000];
    private final List<AutoCloseable> open = new ArrayList<>();

    @SuppressWarnings("NullAway.Init") // made before each test
    private ServedBlob served;

    @SuppressWarnings("NullAway.Init") // made before each test
    private StargzSnapshotter snapshotter;

    @BeforeEach
    void begin() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        assumeTrue(Files.exists(Path.of("/dev/fuse")), "no /dev/fuse: modprobe fuse");
        new Random(1).nextBytes(content);
        served = new ServedBlob(folder, Map.of("file", content), List.of());
        open.add(served);
        start();
    }

    private void start() throws IOException {
        snapshotter = Snapshotters.open(folder.resolve("root"), Snapshotters.QUIET, new Traffic());
    }

    /**
     * Ends the snapshotter as a process would end. The threads of a mount that is let go of each wait for one more request, which
     * nobody answers: they are given one, that is asked again when the mount is taken over.
     */
    private void stop() throws IOException {
        snapshotter.close();
        for (String line : mounts()) {
            Path mount = Path.of(line.split(" ", -1)[1]);
            for (int i = 0; i < 2; i++) {
                Thread.ofPlatform().daemon().start(() -> space(mount));
            }
        }
        await().until(() -> Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread ->
                        thread.getName().startsWith("fuse-" + served.source().digest())));
    }

    private static void space(Path mount) {
        try {
            assertThat(Files.getFileStore(mount).getTotalSpace()).isNotNegative();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterEach
    void end() throws Exception {
        List<SnapshotInfo> left = new ArrayList<>();
        snapshotter.list(CONTEXT, List.of(), left::add);
        for (SnapshotInfo info : left.reversed()) {
            snapshotter.remove(CONTEXT, info.name());
        }
        snapshotter.cleanup(CONTEXT);
        snapshotter.close();
        assertThat(mounts()).isEmpty();
        for (AutoCloseable closed : open.reversed()) {
            closed.close();
        }
    }

    private List<String> mounts() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/mounts"))) {
            return lines.filter(line -> line.contains(" " + folder)).toList();
        }
    }

    private Map<String, String> labels() {
        Map<String, String> labels = new HashMap<>(served.labels());
        labels.put(REF, NAME);
        return labels;
    }

    private void prepareLazily(String key) {
        assertThatThrownBy(() -> snapshotter.prepare(CONTEXT, key, "", labels()))
                .isInstanceOf(AlreadyExistsException.class);
    }

    private byte[] fileIn(List<Mount> mounts) throws IOException {
        return Mounts.withTempMount(mounts, folder, root -> Files.readAllBytes(root.resolve("file")));
    }

    private void checkReadable(String key) throws IOException {
        assertThat(fileIn(snapshotter.prepare(CONTEXT, key, NAME, Map.of()))).isEqualTo(content);
        snapshotter.remove(CONTEXT, key);
    }

    @Test
    void layerIsCommittedAtOnceAndHasContainersOnIt() throws IOException {
        prepareLazily("extract-1");
        SnapshotInfo info = snapshotter.stat(CONTEXT, NAME);
        assertThat(info.kind()).isEqualTo(Kind.COMMITTED);
        assertThat(info.labels())
                .containsEntry(REF, NAME)
                .containsEntry(LazyLabels.LAZY, "yes")
                .containsEntry(LazyLabels.LAYER, served.source().digest().toString())
                .containsEntry(LazyLabels.FETCHED, "0");
        List<SnapshotInfo> found = new ArrayList<>();
        snapshotter.list(CONTEXT, List.of("labels.\"" + REF + "\"==\"" + NAME + "\""), found::add);
        assertThat(found).extracting(SnapshotInfo::name).containsExactly(NAME);

        List<Mount> container = snapshotter.prepare(CONTEXT, "container", NAME, Map.of());
        assertThat(fileIn(container)).isEqualTo(content);
        Mounts.withTempMount(container, folder, root -> Files.writeString(root.resolve("new"), "written"));
        assertThat(fileIn(snapshotter.view(CONTEXT, "view", NAME, Map.of()))).isEqualTo(content);
        assertThat(snapshotter.usage(CONTEXT, NAME).size()).isGreaterThanOrEqualTo(content.length);
        assertThat(snapshotter.stat(CONTEXT, NAME).labels().get(LazyLabels.FETCHED))
                .isNotEqualTo("0");

        // Somebody else, of another namespace maybe.
        prepareLazily("extract-2");
    }

    @Test
    void layerOnALayerIsMountedToo() throws IOException {
        prepareLazily("extract-1");
        Map<String, String> upper = new HashMap<>(labels());
        upper.put(REF, "sha256:upper");
        assertThatThrownBy(() -> snapshotter.prepare(CONTEXT, "extract-2", NAME, upper))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(snapshotter.stat(CONTEXT, "sha256:upper").parent()).isEqualTo(NAME);
        assertThat(fileIn(snapshotter.prepare(CONTEXT, "container", "sha256:upper", Map.of())))
                .isEqualTo(content);
        assertThat(folder.resolve("root/layers")).isDirectoryContaining(path -> true);
    }

    @Test
    void ordinaryLayerKeepsItsReason() {
        served.be(Mood.NO_RANGES);
        List<Mount> mounts = snapshotter.prepare(CONTEXT, "extract-1", "", labels());
        assertThat(mounts).isNotEmpty();
        assertThat(snapshotter.stat(CONTEXT, "extract-1").labels().get(LazyLabels.LAZY))
                .startsWith("no: the registry");
        snapshotter.commit(
                CONTEXT, "committed", "extract-1", Optional.empty(), Map.of(LazyLabels.LAZY, "yes", REF, NAME));
        assertThat(snapshotter.stat(CONTEXT, "committed").labels().get(LazyLabels.LAZY))
                .startsWith("no: the registry");
    }

    @Test
    void removedLayerIsUnmountedAndLeavesNothing() throws IOException {
        prepareLazily("extract-1");
        checkReadable("container");
        snapshotter.remove(CONTEXT, NAME);
        snapshotter.cleanup(CONTEXT);
        assertThat(mounts()).isEmpty();
        assertThat(folder.resolve("root/mounts")).isEmptyDirectory();
        await().untilAsserted(() -> assertThat(folder.resolve("root/layers")).isEmptyDirectory());
    }

    @Test
    void restartGoesOnWithItsMountsAndNeedsNoRegistry() throws IOException {
        prepareLazily("extract-1");
        checkReadable("container-1");
        List<String> before = mounts();
        stop();
        served.close();
        start();
        assertThat(mounts()).isEqualTo(before);
        checkReadable("container-2");
        assertThat(snapshotter.stat(CONTEXT, NAME).labels()).containsEntry(LazyLabels.LAZY, "yes");
    }

    @Test
    void layerWhoseFilesAreLostIsFetchedAgain() throws IOException {
        prepareLazily("extract-1");
        stop();
        Path layer;
        try (Stream<Path> layers = Files.list(folder.resolve("root/layers"))) {
            layer = layers.findFirst().orElseThrow();
        }
        try (Stream<Path> files = Files.list(layer)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        start();
        served.be(Mood.NO_RANGES);
        assertThatThrownBy(() -> snapshotter.prepare(CONTEXT, "container-1", NAME, Map.of()))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining(served.source().digest().toString());
        served.be(Mood.GOOD);
        checkReadable("container-2");
    }
}
