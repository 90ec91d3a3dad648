package dev.longshore.snapshots;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is the overlay snapshotter's own: folders, mounts, labels, and what goes wrong with a disk. */
final class OverlayFoldersIT {

    private static final OverlayOptions OPTIONS = new OverlayOptions(List.of("index=off"), false, false, true);

    private final CallContext context = CallContext.of("overlay", Duration.ofMinutes(1));

    @TempDir
    private Path folder;

    private Path root;
    private OverlaySnapshotter snapshotter;

    @BeforeEach
    void open() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        root = Files.createDirectory(folder.resolve("root"));
        snapshotter = OverlaySnapshotter.open(root, OPTIONS, Clock.systemUTC());
    }

    @AfterEach
    void close() {
        if (snapshotter != null) {
            snapshotter.close();
        }
    }

    @Test
    void mountsAreTheOnesThatContainerdsOverlayAnswers() {
        assertThat(snapshotter.prepare(context, "first", "", Map.of()))
                .containsExactly(new Mount("bind", files(1), List.of("rw", "rbind")));
        assertThat(snapshotter.view(context, "empty", "", Map.of()))
                .containsExactly(new Mount("bind", files(2), List.of("ro", "rbind")));
        snapshotter.commit(context, "a", "first", Optional.empty(), Map.of());
        assertThat(snapshotter.view(context, "view-a", "a", Map.of()))
                .containsExactly(new Mount("bind", files(1), List.of("ro", "rbind")));
        assertThat(snapshotter.prepare(context, "second", "a", Map.of()))
                .containsExactly(new Mount(
                        "overlay",
                        "overlay",
                        List.of(
                                "workdir=" + root + "/snapshots/4/work",
                                "upperdir=" + files(4),
                                "lowerdir=" + files(1),
                                "index=off")));
        snapshotter.commit(context, "b", "second", Optional.empty(), Map.of());
        assertThat(snapshotter.view(context, "view-b", "b", Map.of()))
                .containsExactly(
                        new Mount("overlay", "overlay", List.of("lowerdir=" + files(4) + ":" + files(1), "index=off")));
    }

    @Test
    void aLayerToBeRebasedIsAnOverlaySoThatWhiteoutsAreKept() throws Exception {
        snapshotter.prepare(context, "extract-1", "", Map.of());
        Files.writeString(Path.of(files(1), "deleted"), "deleted");
        snapshotter.commit(context, "base", "extract-1", Optional.empty(), Map.of());
        List<Mount> mounts =
                snapshotter.prepare(context, "extract-2", "", Map.of(OverlaySnapshotter.PARENT_CHAIN_ID_LABEL, "base"));

        assertThat(mounts).singleElement().returns("overlay", Mount::type);
        assertThat(mounts.getFirst().options()).contains("upperdir=" + files(2), "lowerdir=" + root + "/empty");
        // Somebody who makes the mount gets along with it too.
        boolean written = Mounts.withTempMount(
                mounts, folder, merged -> Files.exists(Files.writeString(merged.resolve("new"), "new")));
        assertThat(written).isTrue();
        FileCalls.mknod(Path.of(files(2), "deleted"), FileStat.S_IFCHR, 0, 0);
        snapshotter.commit(context, "top", "extract-2", Optional.of("base"), Map.of());

        List<Mount> view = snapshotter.view(context, "view", "top", Map.of());
        List<String> names = Mounts.withTempMount(view, folder, OverlayFoldersIT::names);
        assertThat(names).containsExactly("new");
    }

    @Test
    void anIdMapGivesTheRootItsOwnerAndTheMountItsOptions() throws Exception {
        Map<String, String> labels = Map.of(
                OverlaySnapshotter.UID_MAPPING_LABEL, "0:70000:65536",
                OverlaySnapshotter.GID_MAPPING_LABEL, "0:80000:65536");
        snapshotter.prepare(context, "extract", "", Map.of());
        Files.writeString(Path.of(files(1), "file"), "file");
        snapshotter.commit(context, "base", "extract", Optional.empty(), Map.of());

        List<Mount> mounts = snapshotter.prepare(context, "container", "base", labels);

        assertThat(FileStat.of(Path.of(files(2)))).returns(70000, FileStat::uid).returns(80000, FileStat::gid);
        assertThat(mounts.getFirst().options()).contains("uidmap=0:70000:65536", "gidmap=0:80000:65536");
        FileStat seen = Mounts.withTempMount(mounts, folder, merged -> FileStat.of(merged.resolve("file")));
        assertThat(seen.uid()).as("a file of a layer").isEqualTo(70000);
        assertThat(seen.gid()).isEqualTo(80000);
    }

    @Test
    void anIdMapThatIsNoneIsInvalidAndLeavesNothing() throws Exception {
        for (String map : List.of("0:1", "5:70000:10", "0:4294967295:1", "x")) {
            assertThatThrownBy(() ->
                            snapshotter.prepare(context, "key", "", Map.of(OverlaySnapshotter.UID_MAPPING_LABEL, map)))
                    .isInstanceOf(InvalidArgumentException.class);
        }
        assertThat(names(root.resolve("snapshots"))).isEmpty();
    }

    @Test
    void theUpperFolderIsALabelWhenAsked() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.close();
        snapshotter =
                OverlaySnapshotter.open(root, new OverlayOptions(List.of(), true, false, true), Clock.systemUTC());

        assertThat(snapshotter.stat(context, "key").labels())
                .containsEntry(OverlaySnapshotter.UPPERDIR_LABEL, files(1));
        snapshotter.update(context, snapshotter.stat(context, "key"), List.of());
        snapshotter.close();
        snapshotter = OverlaySnapshotter.open(root, OPTIONS, Clock.systemUTC());
        assertThat(snapshotter.stat(context, "key").labels())
                .as("it is not stored")
                .isEmpty();
    }

    @Test
    void foldersAreNotForOthers() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());

        assertThat(FileStat.of(root.resolve("snapshots")).permissions()).isEqualTo(0700);
        assertThat(FileStat.of(root.resolve("snapshots/1")).permissions()).isEqualTo(0700);
        assertThat(FileStat.of(root.resolve("snapshots/1/fs")).permissions()).isEqualTo(0755);
        assertThat(FileStat.of(root.resolve("snapshots/1/work")).permissions()).isEqualTo(0711);
    }

    @Test
    void filesGoAtCleanup() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());
        Files.createDirectories(Path.of(files(1), "a/b/c"));
        snapshotter.remove(context, "key");
        assertThat(names(root.resolve("snapshots"))).containsExactly("1");

        snapshotter.cleanup(context);

        assertThat(names(root.resolve("snapshots"))).isEmpty();
    }

    @Test
    void filesGoAtOnceWhenAsked() throws Exception {
        snapshotter.close();
        snapshotter =
                OverlaySnapshotter.open(root, new OverlayOptions(List.of(), false, true, true), Clock.systemUTC());
        snapshotter.prepare(context, "key", "", Map.of());

        snapshotter.remove(context, "key");

        assertThat(names(root.resolve("snapshots"))).isEmpty();
    }

    @Test
    void whatACrashLeftGoesAtCleanupAndItsIdIsNotUsedAgain() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.close();
        Files.createDirectories(root.resolve("snapshots/7/fs/half-made"));
        snapshotter = OverlaySnapshotter.open(root, OPTIONS, Clock.systemUTC());

        assertThat(snapshotter.prepare(context, "next", "", Map.of()).getFirst().source())
                .isEqualTo(files(8));
        snapshotter.cleanup(context);

        assertThat(names(root.resolve("snapshots"))).containsExactly("1", "8");
    }

    @Test
    void idsOfRemovedSnapshotsAreNotUsedAgain() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.remove(context, "key");
        snapshotter.cleanup(context);
        snapshotter.close();
        snapshotter = OverlaySnapshotter.open(root, OPTIONS, Clock.systemUTC());

        assertThat(snapshotter.prepare(context, "key", "", Map.of()).getFirst().source())
                .isEqualTo(files(2));
    }

    @Test
    void whatIsMountedInARemovedSnapshotIsNotTouched() throws Exception {
        Path precious = Files.createDirectory(folder.resolve("precious"));
        Files.writeString(precious.resolve("file"), "precious");
        snapshotter.prepare(context, "key", "", Map.of());
        Path inside = Files.createDirectory(Path.of(files(1), "mounted"));
        Mount bind = new Mount("bind", precious.toString(), List.of("rbind"));
        Mounts.mountAll(List.of(bind), inside);
        try {
            snapshotter.remove(context, "key");
            snapshotter.cleanup(context);

            assertThat(precious.resolve("file")).hasContent("precious");
        } finally {
            Mounts.unmountAll(inside);
        }
        snapshotter.cleanup(context);
        assertThat(names(root.resolve("snapshots"))).isEmpty();
        assertThat(precious.resolve("file")).exists();
    }

    @Test
    void aSecondOpenIsRefused() {
        assertThatThrownBy(() -> OverlaySnapshotter.open(root, OPTIONS, Clock.systemUTC()))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("in use");
    }

    @Test
    void aDeadlineThatHasPassedLeavesNothing() throws Exception {
        CallContext late = CallContext.of("overlay", Duration.ZERO);

        assertThatThrownBy(() -> snapshotter.prepare(late, "key", "", Map.of()))
                .isInstanceOf(DeadlineExceededException.class);

        assertThat(names(root.resolve("snapshots"))).isEmpty();
        snapshotter.prepare(context, "key", "", Map.of());
    }

    @Test
    void anOverlayIsNoPlaceForOverlays() throws Exception {
        Path lower = Files.createDirectory(folder.resolve("lower"));
        Path upper = Files.createDirectory(folder.resolve("upper"));
        Path work = Files.createDirectory(folder.resolve("work"));
        Mount overlay =
                new Mount("overlay", "overlay", List.of("lowerdir=" + lower, "upperdir=" + upper, "workdir=" + work));
        assertThatThrownBy(() -> Mounts.withTempMount(
                        List.of(overlay),
                        folder,
                        merged -> OverlaySnapshotter.open(merged.resolve("root"), OPTIONS, Clock.systemUTC())))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("another file system");
    }

    @Test
    void aFullDiskIsToldAndLosesNothing() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Mounts.mountAll(List.of(new Mount("tmpfs", "tmpfs", List.of("size=4m"))), disk);
        try (OverlaySnapshotter small = OverlaySnapshotter.open(disk.resolve("root"), OPTIONS, Clock.systemUTC())) {
            small.prepare(context, "before", "", Map.of());
            Path ballast = disk.resolve("ballast");
            fill(ballast);

            assertThatThrownBy(() -> {
                        for (int i = 0; i < 1000; i++) {
                            small.prepare(context, "key-" + i, "", Map.of("label", "x".repeat(4000)));
                        }
                    })
                    .isInstanceOf(ResourceExhaustedException.class)
                    .hasMessageContaining("free some disk space");
            long count = count(small);
            Files.delete(ballast);

            assertThat(small.stat(context, "before").name()).isEqualTo("before");
            small.prepare(context, "after", "", Map.of());
            small.cleanup(context);
            assertThat(count(small)).isEqualTo(count + 1);
            assertThat(names(disk.resolve("root/snapshots"))).hasSize((int) count + 1);
        } finally {
            Mounts.unmountAll(disk);
        }
    }

    private long count(OverlaySnapshotter some) {
        long[] count = {0};
        some.list(context, List.of(), info -> count[0]++);
        return count[0];
    }

    private static void fill(Path file) throws IOException {
        try (var out = Files.newOutputStream(file)) {
            for (int i = 0; i < 10_000; i++) {
                out.write(new byte[4096]);
            }
        } catch (FileSystemException e) {
            throw e;
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }

    private String files(int id) {
        return root + "/snapshots/" + id + "/fs";
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }
}
