package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What every {@link Snapshotter} does, on real mounts. An implementation extends this class, once for itself and once
 * through its proxy. Needs root.
 */
public abstract class SnapshotterContract {

    private final CallContext context = CallContext.of("contract", Duration.ofMinutes(5));

    /** Labels that reach a backend. */
    private static final String LABEL = "containerd.io/snapshot/contract";

    private static final String OTHER_LABEL = "containerd.io/snapshot/other.label";

    @TempDir
    private Path folder;

    private Snapshotter snapshotter;
    private Path mountPoint;
    private int prepared;

    /**
     * Opens the implementation on {@code root}, which is empty at first and later has what an earlier one left. Closing the
     * answer closes everything that belongs to it.
     */
    protected abstract Snapshotter open(Path root) throws Exception;

    /** Whether {@code prepare} may come without the parent and {@code commit} with it. */
    protected abstract boolean hasRebase();

    /** What stands before every key in the implementation itself, for the filters of lists; nothing unless it is shared. */
    protected String keyPrefix() {
        return "";
    }

    /** Ends the implementation, and opens it again on what it left in {@code root}. */
    protected Snapshotter reopen(Snapshotter open, Path root) throws Exception {
        open.close();
        return open(root);
    }

    /** Whether closing is the implementation's own, and not that of the connection to a program. */
    protected boolean endsWithClose() {
        return true;
    }

    /** Whether more is asked than containerd's own implementations do: of ours it is. */
    protected boolean isStrict() {
        return true;
    }

    /** {@code expected}; unless strict, also what a server answers that does not classify this error. */
    private Class<?>[] orUnknown(Class<?> expected) {
        return isStrict() ? new Class<?>[] {expected} : new Class<?>[] {expected, UnknownException.class};
    }

    /** What {@code action} does to the files of a layer. */
    @FunctionalInterface
    private interface Edit {
        void apply(Path root) throws IOException;
    }

    @BeforeEach
    final void openFresh() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        mountPoint = Files.createDirectory(folder.resolve("mnt"));
        snapshotter = open(Files.createDirectory(folder.resolve("root")));
    }

    @AfterEach
    final void closeAll() throws IOException {
        if (mountPoint != null) {
            Mounts.unmountAll(mountPoint);
            snapshotter.close();
        }
    }

    // The story

    @Test
    final void layersAreUnpackedOnEachOtherAndSeenAsOne() throws Exception {
        String base = layer("base", "", root -> {
            write(root.resolve("foo"), "foo");
            Files.createDirectories(root.resolve("a/b/c"));
        });
        String top = layer("top", base, root -> {
            assertThat(root.resolve("a/b/c")).isDirectory();
            write(root.resolve("bar"), "bar");
            write(root.resolve("foo"), "changed");
            Files.delete(root.resolve("a/b/c"));
            Files.delete(root.resolve("a/b"));
        });

        snapshotter.view(context, "view", top, Map.of());

        assertThat(files("view"))
                .containsOnlyKeys(".", "a", "bar", "foo")
                .hasEntrySatisfying("foo", foo -> assertThat(foo).endsWith("\"changed\""));
        snapshotter.remove(context, "view");
        snapshotter.remove(context, top);
        snapshotter.remove(context, base);
        assertThat(listed()).isEmpty();
    }

    // What is known of a snapshot

    @Test
    final void statTellsWhatASnapshotIs() throws Exception {
        Instant before = Instant.now();
        layer("base", "", root -> {});
        snapshotter.prepare(context, "active", "base", Map.of(LABEL, "a"));
        snapshotter.view(context, "view", "base", Map.of(LABEL, "v"));
        Instant after = Instant.now();

        assertThat(snapshotter.stat(context, "base"))
                .returns(Kind.COMMITTED, SnapshotInfo::kind)
                .returns("base", SnapshotInfo::name)
                .returns("", SnapshotInfo::parent);
        assertThat(snapshotter.stat(context, "active"))
                .returns(Kind.ACTIVE, SnapshotInfo::kind)
                .returns("active", SnapshotInfo::name)
                .returns("base", SnapshotInfo::parent)
                .returns("a", info -> info.labels().get(LABEL));
        assertThat(snapshotter.stat(context, "view"))
                .returns(Kind.VIEW, SnapshotInfo::kind)
                .returns("base", SnapshotInfo::parent)
                .returns("v", info -> info.labels().get(LABEL));
        for (String name : List.of("base", "active", "view")) {
            SnapshotInfo info = snapshotter.stat(context, name);
            assertThat(info.created()).isBetween(before, after).isEqualTo(info.updated());
        }
    }

    @Test
    final void aParentHasAParent() throws Exception {
        layer("c", layer("b", layer("a", "", root -> {}), root -> {}), root -> {});

        SnapshotInfo b =
                snapshotter.stat(context, snapshotter.stat(context, "c").parent());

        assertThat(b.name()).isEqualTo("b");
        assertThat(b.parent()).isEqualTo("a");
        assertThat(snapshotter.stat(context, "a").parent()).isEmpty();
    }

    @Test
    final void anUnknownSnapshotIsNotFound() {
        assertThatThrownBy(() -> snapshotter.stat(context, "none")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.mounts(context, "none")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.usage(context, "none")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.remove(context, "none")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.commit(context, "name", "none", Optional.empty(), Map.of()))
                .isInstanceOf(NotFoundException.class);
    }

    // Making snapshots

    @Test
    final void aMissingParentIsNotFound() {
        assertThatThrownBy(() -> snapshotter.prepare(context, "key", "none", Map.of()))
                .isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.view(context, "key", "none", Map.of()))
                .isInstanceOf(NotFoundException.class);
        assertThat(listed()).isEmpty();
    }

    @Test
    final void aParentMustBeCommitted() {
        snapshotter.prepare(context, "active", "", Map.of());

        assertThatThrownBy(() -> snapshotter.prepare(context, "key", "active", Map.of()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> snapshotter.view(context, "key", "active", Map.of()))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    final void aKeyNamesOneSnapshot() throws Exception {
        layer("base", "", root -> {});
        snapshotter.prepare(context, "active", "base", Map.of());
        snapshotter.view(context, "view", "base", Map.of());

        for (String taken : List.of("base", "active", "view")) {
            assertThatThrownBy(() -> snapshotter.prepare(context, taken, "base", Map.of()))
                    .isInstanceOf(AlreadyExistsException.class);
            assertThatThrownBy(() -> snapshotter.view(context, taken, "base", Map.of()))
                    .isInstanceOf(AlreadyExistsException.class);
        }
    }

    @Test
    final void anEmptyKeyIsInvalid() {
        // Clients never get this far; containerd's own snapshotters fail with what their database says.
        assertThatThrownBy(() -> snapshotter.prepare(context, "", "", Map.of()))
                .isInstanceOfAny(orUnknown(InvalidArgumentException.class));
    }

    @Test
    final void ofManyThatTakeOneKeyOneGetsIt() throws Exception {
        List<Callable<Boolean>> attempts = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            attempts.add(() -> {
                try {
                    snapshotter.prepare(context, "key", "", Map.of());
                    return true;
                } catch (AlreadyExistsException e) {
                    return false;
                }
            });
        }

        assertThat(atOnce(attempts)).containsOnlyOnce(true).hasSize(16);
        assertThat(files("key")).containsOnlyKeys(".");
    }

    @Test
    final void mountsAreThoseThatWereAnswered() throws Exception {
        layer("base", "", root -> {});
        layer("top", "base", root -> {});
        List<Mount> active = snapshotter.prepare(context, "active", "top", Map.of());
        List<Mount> first = snapshotter.prepare(context, "first", "", Map.of());
        List<Mount> view = snapshotter.view(context, "view", "top", Map.of());

        assertThat(snapshotter.mounts(context, "active")).isEqualTo(active).isNotEmpty();
        assertThat(snapshotter.mounts(context, "first")).isEqualTo(first).isNotEmpty();
        assertThat(snapshotter.mounts(context, "view")).isEqualTo(view).isNotEmpty();
    }

    @Test
    final void aCommittedSnapshotHasNoMounts() throws Exception {
        layer("base", "", root -> {});

        assertThatThrownBy(() -> snapshotter.mounts(context, "base")).isInstanceOf(FailedPreconditionException.class);
    }

    // Committing

    @Test
    final void aCommittedKeyIsFree() throws Exception {
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.commit(context, "name", "key", Optional.empty(), Map.of());

        assertThatThrownBy(() -> snapshotter.stat(context, "key")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> snapshotter.commit(context, "name2", "key", Optional.empty(), Map.of()))
                .isInstanceOf(NotFoundException.class);
        snapshotter.prepare(context, "key", "name", Map.of());
        assertThat(snapshotter.stat(context, "key").parent()).isEqualTo("name");
    }

    @Test
    final void aNameIsTakenOnce() throws Exception {
        layer("name", "", root -> {});
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.prepare(context, "other", "", Map.of());

        assertThatThrownBy(() -> snapshotter.commit(context, "name", "key", Optional.empty(), Map.of()))
                .isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> snapshotter.commit(context, "other", "key", Optional.empty(), Map.of()))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(snapshotter.stat(context, "key").kind()).isEqualTo(Kind.ACTIVE);
    }

    @Test
    final void onlyAnActiveSnapshotIsCommitted() throws Exception {
        layer("base", "", root -> {});
        snapshotter.view(context, "view", "base", Map.of());

        // containerd's native snapshotter looks for the files of the view first, and has none.
        assertThatThrownBy(() -> snapshotter.commit(context, "name", "view", Optional.empty(), Map.of()))
                .isInstanceOfAny(orUnknown(FailedPreconditionException.class));
        assertThatThrownBy(() -> snapshotter.commit(context, "name", "base", Optional.empty(), Map.of()))
                .isInstanceOf(FailedPreconditionException.class);
        assertThat(snapshotter.stat(context, "view").kind()).isEqualTo(Kind.VIEW);
        assertThatThrownBy(() -> snapshotter.stat(context, "name")).isInstanceOf(NotFoundException.class);
    }

    @Test
    final void commitReplacesLabels() {
        snapshotter.prepare(context, "key", "", Map.of(LABEL, "active"));
        snapshotter.commit(context, "name", "key", Optional.empty(), Map.of(OTHER_LABEL, "committed"));

        assertThat(snapshotter.stat(context, "name").labels())
                .containsEntry(OTHER_LABEL, "committed")
                .doesNotContainKey(LABEL);
    }

    @Test
    final void aParentCannotBeChangedByACommit() throws Exception {
        layer("a", "", root -> {});
        layer("b", "", root -> {});
        snapshotter.prepare(context, "key", "a", Map.of());

        try {
            // Without rebase, containerd's native snapshotter has no eyes for the parent.
            snapshotter.commit(context, "name", "key", Optional.of("b"), Map.of());
            assertThat(hasRebase() || isStrict()).as("this had to be invalid").isFalse();
        } catch (InvalidArgumentException e) {
            snapshotter.commit(context, "name", "key", Optional.of("a"), Map.of());
        }
        assertThat(snapshotter.stat(context, "name").parent()).isEqualTo("a");
    }

    @Test
    final void aLayerMayGetItsParentWhenItIsCommitted() throws Exception {
        assumeTrue(hasRebase(), "this snapshotter has no rebase");
        layer("base", "", root -> write(root.resolve("below"), "below"));
        snapshotter.prepare(
                context, "key", "", Map.of("containerd.io/snapshot/parent-chain-id", "base", LABEL, "layer"));
        edit("key", root -> write(root.resolve("above"), "above"));

        assertThatThrownBy(() -> snapshotter.commit(context, "name", "key", Optional.of("none"), Map.of()))
                .isInstanceOf(NotFoundException.class);
        snapshotter.commit(context, "name", "key", Optional.of("base"), Map.of());

        assertThat(snapshotter.stat(context, "name").parent()).isEqualTo("base");
        snapshotter.view(context, "view", "name", Map.of());
        assertThat(files("view")).containsOnlyKeys(".", "above", "below");
        assertThatThrownBy(() -> snapshotter.remove(context, "base")).isInstanceOf(FailedPreconditionException.class);
    }

    // Removing

    @Test
    final void aParentCannotBeRemoved() throws Exception {
        layer("base", "", root -> {});
        layer("middle", "base", root -> {});
        snapshotter.prepare(context, "top", "middle", Map.of());

        assertThatThrownBy(() -> snapshotter.remove(context, "middle")).isInstanceOf(FailedPreconditionException.class);
        assertThatThrownBy(() -> snapshotter.remove(context, "base")).isInstanceOf(FailedPreconditionException.class);

        snapshotter.remove(context, "top");
        snapshotter.remove(context, "middle");
        snapshotter.remove(context, "base");
        assertThat(listed()).isEmpty();
    }

    @Test
    final void keysAndNamesAreUsedAgain() throws Exception {
        layer("name", "", root -> write(root.resolve("old"), "old"));
        snapshotter.prepare(context, "key", "name", Map.of());
        snapshotter.remove(context, "key");
        snapshotter.view(context, "key", "name", Map.of());
        snapshotter.remove(context, "key");
        snapshotter.prepare(context, "key", "", Map.of());
        snapshotter.remove(context, "name");
        snapshotter.commit(context, "name", "key", Optional.empty(), Map.of());
        snapshotter.view(context, "view", "name", Map.of());

        assertThat(files("view")).containsOnlyKeys(".");
    }

    @Test
    final void cleanupLeavesWhatIsInUse() throws Exception {
        layer("base", "", root -> write(root.resolve("file"), "file"));
        snapshotter.prepare(context, "active", "base", Map.of());
        snapshotter.prepare(context, "gone", "base", Map.of());
        edit("gone", root -> Files.createDirectories(root.resolve("a/b/c")));
        snapshotter.remove(context, "gone");

        try {
            snapshotter.cleanup(context);
            snapshotter.cleanup(context);
        } catch (UnimplementedException e) {
            // It removes at once.
        }

        assertThat(files("active")).containsOnlyKeys(".", "file");
        assertThatThrownBy(() -> snapshotter.stat(context, "gone")).isInstanceOf(NotFoundException.class);
    }

    // Labels

    @Test
    final void updateWithoutAMaskReplacesAllLabels() throws Exception {
        for (SnapshotInfo info : oneOfEachKind(Map.of(LABEL, "old"))) {
            Instant before = Instant.now();
            SnapshotInfo updated =
                    snapshotter.update(context, relabeled(info, "wrong-parent", Map.of(OTHER_LABEL, "new")), List.of());

            assertThat(updated.labels()).containsEntry(OTHER_LABEL, "new").doesNotContainKey(LABEL);
            assertThat(updated.kind()).isEqualTo(info.kind());
            assertThat(updated.parent()).isEqualTo(info.parent());
            assertThat(updated.created()).isEqualTo(info.created());
            assertThat(updated.updated()).isBetween(before, Instant.now());
            assertThat(snapshotter.stat(context, info.name())).isEqualTo(updated);
        }
    }

    @Test
    final void updateOfOneLabelLeavesTheOthers() throws Exception {
        for (SnapshotInfo info : oneOfEachKind(Map.of(LABEL, "old"))) {
            SnapshotInfo changed = relabeled(info, "", Map.of(LABEL, "ignored", OTHER_LABEL, "new"));

            assertThat(snapshotter
                            .update(context, changed, List.of("labels." + OTHER_LABEL))
                            .labels())
                    .containsEntry(LABEL, "old")
                    .containsEntry(OTHER_LABEL, "new");
            assertThat(snapshotter
                            .update(context, relabeled(info, "", Map.of()), List.of("labels." + LABEL))
                            .labels())
                    .as("a label without a value goes")
                    .doesNotContainKey(LABEL)
                    .containsEntry(OTHER_LABEL, "new");
            assertThat(snapshotter
                            .update(context, relabeled(info, "", Map.of(LABEL, "all")), List.of("labels"))
                            .labels())
                    .containsEntry(LABEL, "all")
                    .doesNotContainKey(OTHER_LABEL);
        }
    }

    @Test
    final void nothingButLabelsCanBeUpdated() throws Exception {
        SnapshotInfo info = oneOfEachKind(Map.of(LABEL, "old")).getFirst();

        for (String path : List.of("parent", "kind", "name", "created_at", "label")) {
            assertThatThrownBy(() -> snapshotter.update(context, info, List.of("labels", path)))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining(path);
        }
        assertThat(snapshotter.stat(context, info.name())).isEqualTo(info);
        assertThatThrownBy(() -> snapshotter.update(context, named(info, "none"), List.of("labels")))
                .isInstanceOf(NotFoundException.class);
    }

    // Lists

    @ParameterizedTest(name = "{0}", quoteTextArguments = false)
    @CsvSource(
            delimiter = '|',
            value = {
                "no filter                                    | a a-free a-two p p-one v v-three",
                "kind==active                                 | a a-free a-two",
                "kind==view                                   | v v-three",
                "kind==committed                              | p p-one",
                "name==\"{}p\" ; name==\"{}a-two\"            | p a-two",
                "name~=\"^{}a-\"                              | a-free a-two",
                "parent==\"{}p\"                              | a v",
                "parent!=\"{}p\",kind!=committed              | a-free a-two v-three",
                "labels.\"containerd.io/snapshot/contract\"   | p-one a-two v-three a-free",
                "labels.\"containerd.io/snapshot/contract\"==2| a-two a-free",
                "kind==view,labels.\"containerd.io/snapshot/contract\"==2 |",
                "name==none                                   |",
            })
    final void listGivesWhatAFilterTakes(String filters, String names) throws Exception {
        snapshotter.prepare(context, "a-free", "", Map.of(LABEL, "2"));
        layer("p", "", root -> {});
        snapshotter.prepare(context, "a", "p", Map.of());
        snapshotter.view(context, "v", "p", Map.of());
        snapshotter.prepare(context, "tmp", "", Map.of());
        snapshotter.commit(context, "p-one", "tmp", Optional.empty(), Map.of(LABEL, "1"));
        snapshotter.prepare(context, "a-two", "p-one", Map.of(LABEL, "2"));
        snapshotter.view(context, "v-three", "p-one", Map.of(LABEL, "3"));

        String[] split = filters.equals("no filter")
                ? new String[0]
                : filters.replace("{}", keyPrefix()).split(" ; ", -1);

        assertThat(listed(split).stream().map(SnapshotInfo::name))
                .containsExactlyInAnyOrder(names == null ? new String[0] : names.split(" ", -1));
    }

    @Test
    final void aFilterThatIsNoneIsInvalid() {
        // containerd's service for snapshotters gives the errors of lists no class.
        assertThatThrownBy(() -> listed("name==\"")).isInstanceOfAny(orUnknown(InvalidArgumentException.class));
    }

    @Test
    final void listTellsTheSameAsStatAlsoMeanwhile() throws Exception {
        oneOfEachKind(Map.of(LABEL, "1"));
        List<SnapshotInfo> seen = new ArrayList<>();

        snapshotter.list(context, List.of(), info -> {
            assertThat(snapshotter.stat(context, info.name())).isEqualTo(info);
            seen.add(info);
        });

        assertThat(seen).hasSize(3);
    }

    @Test
    final void snapshotsMayGoWhileTheyAreListed() {
        for (int i = 0; i < 600; i++) {
            snapshotter.prepare(context, "key-" + i, "", Map.of(LABEL, "x".repeat(500)));
        }
        List<String> seen = new ArrayList<>();

        snapshotter.list(context, List.of(), info -> {
            snapshotter.remove(context, info.name());
            seen.add(info.name());
        });

        assertThat(seen).hasSize(600).doesNotHaveDuplicates();
        assertThat(listed()).isEmpty();
    }

    // Files

    @Test
    final void aChangedFileHidesTheOneBelow() throws Exception {
        checkLayers(
                root -> {
                    Files.createDirectory(root.resolve("etc"));
                    write(root.resolve("etc/hosts"), "domain 10.0.0.1");
                    write(root.resolve("etc/profile"), "PATH=/usr/bin");
                },
                root -> {
                    write(root.resolve("etc/hosts"), "domain 10.0.0.2");
                    Files.delete(root.resolve("etc/profile"));
                    write(root.resolve("etc/profile"), "PATH=/usr/bin");
                    FileCalls.chmod(root.resolve("etc/profile"), 0666);
                    Files.createDirectory(root.resolve("root"));
                },
                root -> write(root.resolve("etc/hosts"), "domain 10.0.0.3"));
    }

    @Test
    final void aDeletedFileStaysDeleted() throws Exception {
        checkLayers(
                root -> {
                    write(root.resolve("foo"), "foo");
                    write(root.resolve("bar"), "bar");
                    Files.createDirectory(root.resolve("folder"));
                    write(root.resolve("folder/inner"), "inner");
                },
                root -> {
                    Files.delete(root.resolve("bar"));
                    Files.delete(root.resolve("folder/inner"));
                    Files.delete(root.resolve("folder"));
                },
                root -> {},
                root -> write(root.resolve("bar"), "again"));
    }

    @Test
    final void aFolderMadeAnewShowsNothingOfTheOldOne() throws Exception {
        checkLayers(
                root -> {
                    Files.createDirectory(root.resolve("lib"));
                    write(root.resolve("lib/hidden"), "hidden");
                },
                root -> {
                    Files.delete(root.resolve("lib/hidden"));
                    Files.delete(root.resolve("lib"));
                    Files.createDirectory(root.resolve("lib"));
                    write(root.resolve("lib/shown"), "shown");
                },
                root -> write(root.resolve("lib/new"), "new"));
    }

    @Test
    final void ownersAndPermissionsChangeWithoutTheFile() throws Exception {
        checkLayers(
                root -> {
                    Files.createDirectories(root.resolve("opt/a/b"));
                    write(root.resolve("opt/a/b/file"), "hello");
                },
                root -> {
                    for (String path : List.of("opt", "opt/a", "opt/a/b", "opt/a/b/file")) {
                        FileCalls.lchown(root.resolve(path), 1, 2);
                        FileCalls.chmod(root.resolve(path), 01750);
                    }
                },
                root -> FileCalls.lchown(root.resolve("opt/a/b/file"), 0, 0));
    }

    @Test
    final void filesAreMovedAndLinked() throws Exception {
        checkLayers(
                root -> {
                    Files.createDirectory(root.resolve("dir1"));
                    write(root.resolve("dir1/f1"), "one");
                    write(root.resolve("dir1/f2"), "two");
                    Files.createLink(root.resolve("dir1/f2-link"), root.resolve("dir1/f2"));
                },
                root -> {
                    Files.createDirectory(root.resolve("dir2"));
                    Files.move(root.resolve("dir1/f1"), root.resolve("dir2/f1"));
                    write(root.resolve("dir2/new"), "new");
                    Files.move(root.resolve("dir2/new"), root.resolve("dir1/f1"), StandardCopyOption.REPLACE_EXISTING);
                    write(root.resolve("dir2/hard"), "hard");
                    Files.createLink(root.resolve("dir2/hard-link"), root.resolve("dir2/hard"));
                    Files.createSymbolicLink(root.resolve("dir2/soft"), Path.of("../dir1"));
                },
                root -> Files.delete(root.resolve("dir2/soft")));
    }

    @Test
    final void devicesAndAttributesAreKept() throws Exception {
        checkLayers(
                root -> {
                    FileCalls.mknod(root.resolve("null"), FileStat.S_IFCHR | 0666, 1, 3);
                    FileCalls.mknod(root.resolve("fifo"), FileStat.S_IFIFO | 0600, 0, 0);
                    write(root.resolve("file"), "file");
                    Xattrs.set(root.resolve("file"), "user.one", "1".getBytes(StandardCharsets.UTF_8));
                },
                root -> {
                    Xattrs.set(root.resolve("file"), "user.two", new byte[] {0, (byte) 0xff});
                    Files.delete(root.resolve("fifo"));
                },
                root -> Xattrs.remove(root.resolve("file"), "user.one"));
    }

    @Test
    final void snapshotsOnOneParentDoNotSeeEachOther() throws Exception {
        layer("base", "", root -> write(root.resolve("file"), "base"));
        snapshotter.prepare(context, "one", "base", Map.of());
        snapshotter.prepare(context, "two", "base", Map.of());
        edit("one", root -> write(root.resolve("file"), "one"));
        edit("two", root -> Files.delete(root.resolve("file")));

        assertThat(files("one").get("file")).contains("\"one\"");
        assertThat(files("two")).containsOnlyKeys(".");
        snapshotter.view(context, "view", "base", Map.of());
        assertThat(files("view").get("file")).contains("\"base\"");
    }

    @Test
    final void theRootHasTheUsualPermissionsAndKeepsItsOwner() throws Exception {
        snapshotter.prepare(context, "fresh", "", Map.of());
        assertThat(files("fresh").get(".")).isEqualTo("folder 0755 0:0");

        checkLayers(root -> FileCalls.lchown(root, 7, 8), root -> write(root.resolve("file"), "file"), root -> {});
    }

    @Test
    final void theRootKeepsItsPermissions() throws Exception {
        assumeTrue(isStrict(), "containerd's overlay snapshotter does not: asked for with --strict");
        checkLayers(root -> FileCalls.chmod(root, 01711), root -> write(root.resolve("file"), "file"), root -> {});
    }

    @Test
    final void aViewIsReadOnly() throws Exception {
        layer("base", "", root -> {});
        layer("top", "base", root -> {});

        for (String parent : List.of("", "base", "top")) {
            List<Mount> view = snapshotter.view(context, "view-of-" + parent, parent, Map.of());

            mount(view);
            assertThatThrownBy(() -> write(mountPoint.resolve("file"), "file"))
                    .as("a view of \"%s\"", parent)
                    .isInstanceOf(FileSystemException.class)
                    .hasMessageContaining("Read-only");
            Mounts.unmountAll(view, mountPoint);
        }
    }

    @Test
    final void aHundredAndTwentyEightLayersAreNotTooMany() throws Exception {
        Edit[] layers = IntStream.range(0, 128)
                .<Edit>mapToObj(i -> root -> {
                    write(root.resolve("overwritten"), "layer " + i);
                    Files.createDirectories(root.resolve("added"));
                    write(root.resolve("added/file-" + i), "same");
                    if (i > 0) {
                        Files.delete(root.resolve("mine/" + (i - 1)));
                        Files.delete(root.resolve("mine"));
                    }
                    Files.createDirectory(root.resolve("mine"));
                    write(root.resolve("mine/" + i), "only me");
                })
                .toArray(Edit[]::new);

        checkLayers(layers);
    }

    // What it takes

    @Test
    final void usageCountsWhatASnapshotAdds() throws Exception {
        layer("base", "", root -> Files.write(root.resolve("big"), new byte[1 << 20]));
        Usage base = snapshotter.usage(context, "base");
        snapshotter.prepare(context, "active", "base", Map.of());
        Usage before = snapshotter.usage(context, "active");
        edit("active", root -> {
            Files.write(root.resolve("file"), new byte[100_000]);
            Files.createLink(root.resolve("link"), root.resolve("file"));
            try (RandomAccessFile sparse =
                    new RandomAccessFile(root.resolve("sparse").toFile(), "rw")) {
                sparse.setLength(1L << 30);
            }
        });
        Usage active = snapshotter.usage(context, "active");
        snapshotter.commit(context, "name", "active", Optional.empty(), Map.of());

        assertThat(base.size()).isBetween(1L << 20, 2L << 20);
        assertThat(active.inodes() - before.inodes())
                .as("a hard link is no inode")
                .isEqualTo(2);
        assertThat(active.size() - before.size()).isBetween(100_000L, 400_000L);
        assertThat(snapshotter.usage(context, "name")).isEqualTo(active);
    }

    // Life cycle

    @Test
    final void everythingIsThereAfterAReopen() throws Exception {
        layer("base", "", root -> write(root.resolve("file"), "base"));
        snapshotter.prepare(context, "active", "base", Map.of(LABEL, "1"));
        edit("active", root -> write(root.resolve("mine"), "mine"));
        snapshotter.view(context, "view", "base", Map.of());
        List<SnapshotInfo> before = listed();
        List<Mount> mounts = snapshotter.mounts(context, "active");
        Usage usage = snapshotter.usage(context, "base");

        snapshotter = reopen(snapshotter, folder.resolve("root"));

        assertThat(listed()).containsExactlyInAnyOrderElementsOf(before);
        assertThat(snapshotter.mounts(context, "active")).isEqualTo(mounts);
        assertThat(snapshotter.usage(context, "base")).isEqualTo(usage);
        assertThat(files("active")).containsOnlyKeys(".", "file", "mine");
        snapshotter.prepare(context, "new", "base", Map.of());
        assertThat(files("new")).containsOnlyKeys(".", "file");
    }

    @Test
    final void closingTwiceIsFine() {
        assumeTrue(endsWithClose(), "a program of its own ends by itself");
        snapshotter.prepare(context, "key", "", Map.of());

        snapshotter.close();
        snapshotter.close();
    }

    @Test
    final void manyWorkAtOnce() throws Exception {
        layer("base", "", root -> write(root.resolve("file"), "base"));
        List<Callable<Boolean>> work = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            String id = "w" + i;
            work.add(() -> {
                for (int round = 0; round < 5; round++) {
                    String key = id + "-" + round;
                    snapshotter.prepare(context, key, "base", Map.of(LABEL, id));
                    snapshotter.commit(context, key + "-done", key, Optional.empty(), Map.of(LABEL, id));
                    snapshotter.view(context, key, key + "-done", Map.of());
                    snapshotter.remove(context, key);
                    if (round % 2 == 0) {
                        snapshotter.remove(context, key + "-done");
                    }
                }
                return true;
            });
        }

        assertThat(atOnce(work)).containsOnly(true);
        assertThat(listed()).hasSize(1 + 8 * 2);
    }

    // What the tests are made of

    /** Does the same to layers on each other and to a plain folder, and compares after each. */
    private void checkLayers(Edit... edits) throws IOException {
        Path plain = Files.createDirectory(folder.resolve("plain"));
        FileCalls.chmod(plain, 0755);
        String parent = "";
        for (int i = 0; i < edits.length; i++) {
            edits[i].apply(plain);
            parent = layer("checked-" + i, parent, edits[i]);
            String key = "check-" + i;
            snapshotter.prepare(context, key, parent, Map.of());
            assertThat(files(key)).as("layer %d", i).isEqualTo(FileTree.of(plain));
            snapshotter.remove(context, key);
        }
        snapshotter.view(context, "checked", parent, Map.of());
        assertThat(files("checked")).isEqualTo(FileTree.of(plain));
    }

    /** @return {@code name}, committed */
    private String layer(String name, String parent, Edit edit) throws IOException {
        String key = "extract-" + prepared++ + " " + name;
        snapshotter.prepare(context, key, parent, Map.of());
        edit(key, edit);
        snapshotter.commit(context, name, key, Optional.empty(), Map.of());
        return name;
    }

    /** Some answer what only programs of theirs can mount; what is in such mounts is not seen from here. */
    private void mount(List<Mount> mounts) throws IOException {
        try {
            Mounts.mountAll(mounts, mountPoint);
        } catch (UnimplementedException e) {
            assumeTrue(isStrict(), e.getMessage());
            throw e;
        }
    }

    private void edit(String key, Edit edit) throws IOException {
        List<Mount> mounts = snapshotter.mounts(context, key);
        mount(mounts);
        try {
            edit.apply(mountPoint);
        } finally {
            Mounts.unmountAll(mounts, mountPoint);
        }
    }

    private Map<String, String> files(String key) throws IOException {
        List<Mount> mounts = snapshotter.mounts(context, key);
        mount(mounts);
        try {
            return FileTree.of(mountPoint);
        } finally {
            Mounts.unmountAll(mounts, mountPoint);
        }
    }

    private List<SnapshotInfo> oneOfEachKind(Map<String, String> labels) {
        snapshotter.prepare(context, "tmp", "", Map.of());
        snapshotter.commit(context, "committed", "tmp", Optional.empty(), labels);
        snapshotter.prepare(context, "active", "committed", labels);
        snapshotter.view(context, "view", "committed", labels);
        return listed();
    }

    private List<SnapshotInfo> listed(String... filters) {
        List<SnapshotInfo> infos = new ArrayList<>();
        snapshotter.list(context, List.of(filters), infos::add);
        return infos;
    }

    private static SnapshotInfo relabeled(SnapshotInfo info, String parent, Map<String, String> labels) {
        return new SnapshotInfo(info.kind(), info.name(), parent, labels, info.created(), info.updated());
    }

    private static SnapshotInfo named(SnapshotInfo info, String name) {
        return new SnapshotInfo(info.kind(), name, info.parent(), info.labels(), info.created(), info.updated());
    }

    private static void write(Path file, String content) throws IOException {
        Files.writeString(file, content);
    }

    private static <T> List<T> atOnce(List<Callable<T>> work) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<T> results = new ArrayList<>();
            for (Future<T> future : threads.invokeAll(work)) {
                results.add(future.get());
            }
            return results;
        }
    }
}
