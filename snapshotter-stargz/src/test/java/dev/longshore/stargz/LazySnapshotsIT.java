package dev.longshore.stargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.stargz.erofs.ErofsMount;
import dev.longshore.stargz.layer.LayerSettings;
import dev.longshore.stargz.layer.ServedBlob;
import dev.longshore.stargz.layer.ServedBlob.Mood;
import dev.longshore.stargz.layer.Traffic;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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
    private final List<Path> running = new ArrayList<>();

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
        start(Snapshotters.QUIET, new Traffic());
    }

    private void start(LayerSettings settings, Traffic traffic) throws IOException {
        snapshotter = Snapshotters.open(folder.resolve("root"), settings, traffic);
    }

    private void startAgain(LayerSettings settings, Traffic traffic) throws IOException {
        snapshotter.close();
        start(settings, traffic);
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
                Path asked = mount.resolve("not-there-" + i);
                Thread.ofPlatform().daemon().start(() -> Files.exists(asked));
            }
        }
        awaitNobodyServes();
    }

    private void awaitNobodyServes() {
        await().until(() -> Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread ->
                        thread.getName().startsWith("fuse-" + served.source().digest())));
    }

    @AfterEach
    void end() throws Exception {
        for (Path root : running) {
            MountCalls.unmount(root, MountCalls.MNT_DETACH);
        }
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

    private Path layerFile(String name) throws IOException {
        try (Stream<Path> layers = Files.list(folder.resolve("root/layers"))) {
            return layers.findFirst().orElseThrow().resolve(name);
        }
    }

    private void requireErofs() throws IOException {
        Optional<String> why = ErofsMount.probe(folder);
        assumeTrue(why.isEmpty(), () -> "file-backed EROFS is not to be had: " + why.orElseThrow());
    }

    private void awaitImage() throws IOException {
        Path image = layerFile("image");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> Files.exists(image)
                        && !Files.exists(image.resolveSibling("data"))
                        && !Files.exists(image.resolveSibling("present")));
    }

    private List<String> types() throws IOException {
        return mounts().stream().map(line -> line.split(" ", -1)[2]).toList();
    }

    /** A container that runs for as long as its mount is there. */
    private Path run(String key) throws IOException {
        Path root = Files.createDirectory(folder.resolve(key));
        Mounts.mountAll(snapshotter.prepare(CONTEXT, key, NAME, Map.of()), root);
        running.add(root);
        return root;
    }

    @Test
    void completeLayerIsReadByTheKernelAndByThoseWhoRunAlready() throws Exception {
        requireErofs();
        Traffic traffic = new Traffic();
        startAgain(Snapshotters.EAGER, traffic);
        prepareLazily("extract-1");
        Path before = run("before");
        assertThat(types()).containsExactly("fuse.stargz", "overlay");
        awaitImage();
        Path after = run("after");
        assertThat(types()).containsExactly("fuse.stargz", "overlay", "erofs", "overlay");
        long hits = traffic.hits();
        assertThat(Files.readAllBytes(after.resolve("file"))).isEqualTo(content);
        assertThat(traffic.hits()).as("reads that FUSE was asked for").isEqualTo(hits);
        assertThat(Files.readAllBytes(before.resolve("file"))).isEqualTo(content);
        assertThat(traffic.hits()).isGreaterThan(hits);
        assertThat(snapshotter.usage(CONTEXT, NAME).size()).isGreaterThanOrEqualTo(content.length);
        assertThat(snapshotter.stat(CONTEXT, NAME).labels())
                .containsEntry(LazyLabels.FETCHED, Integer.toString(served.size()));

        // Nobody serves FUSE now: whoever asked it would wait.
        snapshotter.close();
        served.close();
        Path later = Files.createDirectory(folder.resolve("later"));
        for (int i = 0; i < 2; i++) {
            String name = "not-there-" + i;
            Thread.ofPlatform().daemon().start(() -> Files.exists(before.resolve(name)));
        }
        awaitNobodyServes();
        assertThat(CompletableFuture.supplyAsync(() -> readNew(later)).get(30, TimeUnit.SECONDS))
                .isEqualTo(content);
        start();
        assertThat(Files.readAllBytes(before.resolve("file"))).isEqualTo(content);
        assertThat(types()).containsExactly("fuse.stargz", "overlay", "erofs", "overlay");
        checkReadable("container");
        assertThat(types()).as("mounted once").containsOnlyOnce("erofs");
    }

    /** Through a view that no overlay has cached anything of. */
    private byte[] readNew(Path target) {
        try {
            Path layer;
            try (Stream<Path> found = Files.list(folder.resolve("root/snapshots"))) {
                layer = found.sorted().findFirst().orElseThrow().resolve("fs");
            }
            String lower = "lowerdir=%s:%s".formatted(layer, folder.resolve("root/empty"));
            MountCalls.mount("overlay", target, "overlay", MountCalls.MS_RDONLY, lower);
            try (Stream<Path> walk = Files.walk(target)) {
                assertThat(walk.filter(Files::isRegularFile)).hasSize(1);
                return Files.readAllBytes(target.resolve("file"));
            } finally {
                MountCalls.unmount(target, MountCalls.MNT_DETACH);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void imageAloneDoesAfterAStartOfTheMachine() throws Exception {
        requireErofs();
        startAgain(Snapshotters.EAGER, new Traffic());
        prepareLazily("extract-1");
        awaitImage();
        stop();
        served.close();
        // No mount and no process is left then.
        for (String line : mounts()) {
            MountCalls.unmount(Path.of(line.split(" ", -1)[1]), MountCalls.MNT_DETACH);
        }
        try (Stream<Path> records = Files.list(folder.resolve("root/mounts"))) {
            for (Path record : records.filter(path -> path.endsWith("1")).toList()) {
                long pid = Json.number(Json.object(Files.readAllBytes(record), record.toString()), "pid");
                ProcessHandle.of(pid).orElseThrow().destroyForcibly();
            }
        }
        // As one that was killed while it wrote it may leave it.
        Files.write(layerFile("image.tmp"), new byte[10]);
        Files.write(layerFile("data"), new byte[10]);
        start();
        assertThat(types()).containsExactly("erofs");
        checkReadable("container");
        assertThat(layerFile("image.tmp")).doesNotExist();
        assertThat(layerFile("data")).doesNotExist();
        snapshotter.remove(CONTEXT, NAME);
        snapshotter.cleanup(CONTEXT);
        assertThat(mounts()).isEmpty();
        assertThat(folder.resolve("root/layers")).isEmptyDirectory();
    }

    @Test
    void damagedImageIsFetchedAgain() throws Exception {
        requireErofs();
        startAgain(Snapshotters.EAGER, new Traffic());
        prepareLazily("extract-1");
        awaitImage();
        stop();
        try (FileChannel image = FileChannel.open(layerFile("image"), StandardOpenOption.WRITE)) {
            image.truncate(image.size() / 2);
        }
        start();
        assertThat(layerFile("image")).doesNotExist();
        checkReadable("container");
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
