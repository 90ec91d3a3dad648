package dev.longshore.sdk.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MountsIT {

    @TempDir
    private Path folder;

    private Path target;

    @BeforeEach
    void makeTarget() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        target = Files.createDirectory(folder.resolve("target"));
    }

    @AfterEach
    void unmount() throws IOException {
        Mounts.unmountAll(target);
        assertThat(mountsBelow(folder)).isEmpty();
    }

    @Test
    void aBindMountShowsItsSource() throws Exception {
        Path source = folder("source", "a");

        Mounts.mountAll(List.of(new Mount("bind", source.toString(), List.of("rbind", "rw"))), target);

        assertThat(target.resolve("a")).exists();
        Files.createFile(target.resolve("b"));
        assertThat(source.resolve("b")).exists();
        Mounts.unmountAll(target);
        assertThat(target.resolve("a")).doesNotExist();
    }

    @Test
    void aReadOnlyBindMountIsReadOnly() throws Exception {
        Path source = folder("source", "a");

        Mounts.mountAll(List.of(new Mount("bind", source.toString(), List.of("rbind", "ro"))), target);

        assertThatThrownBy(() -> Files.createFile(target.resolve("b")))
                .isInstanceOf(FileSystemException.class)
                .hasMessageContaining("Read-only");
        Files.createFile(source.resolve("c"));
    }

    @Test
    void otherFlagsOfABindMountCountToo() throws Exception {
        Path source = folder("source", "a");

        Mounts.mountAll(List.of(new Mount("bind", source.toString(), List.of("bind", "nosuid", "noexec"))), target);

        assertThat(mountsBelow(folder)).singleElement().asString().contains("nosuid", "noexec");
    }

    @Test
    void anOverlayShowsAllItsFolders() throws Exception {
        Mounts.mountAll(List.of(overlay(List.of(folder("b", "b"), folder("a", "a")))), target);

        assertThat(target.resolve("a")).exists();
        assertThat(target.resolve("b")).exists();
        Files.delete(target.resolve("a"));
        assertThat(FileStat.of(folder.resolve("upper/a")).isCharacterDevice()).isTrue();
    }

    @Test
    void optionsMayBeLongerThanAPage() throws Exception {
        List<Path> lower = lowerFolders("l", 128);

        Mounts.mountAll(List.of(overlay(lower)), target);

        assertThat(target.resolve("file-0")).exists();
        assertThat(target.resolve("file-127")).exists();
        Files.createFile(target.resolve("new"));
        assertThat(folder.resolve("upper/new")).exists();
    }

    @Test
    void foldersWithLongNamesAreNamedFromTheirCommonParent() throws Exception {
        List<Path> lower = lowerFolders("x".repeat(100) + "/" + "y".repeat(120), 40);

        Mounts.mountAll(List.of(overlay(lower)), target);

        assertThat(target.resolve("file-0")).exists();
        assertThat(target.resolve("file-39")).exists();
    }

    @Test
    void moreFoldersThanTheKernelTakesAreRefused() throws Exception {
        List<Path> lower = lowerFolders("x".repeat(100) + "/" + "y".repeat(120), 200);

        assertThatThrownBy(() -> Mounts.mountAll(List.of(overlay(lower)), target))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("200 lower folders");
    }

    @Test
    void whatTheKernelRefusesIsToldWithItsReason() throws Exception {
        Mount missing = new Mount("overlay", "overlay", List.of("lowerdir=" + folder.resolve("none")));

        assertThatThrownBy(() -> Mounts.mountAll(List.of(missing), target))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT))
                .hasMessageContaining(target.toString());
    }

    @Test
    void aMountMayHaveATargetBelow() throws Exception {
        Path root = folder("root", "file");
        Files.createDirectories(root.resolve("data/inner"));
        Path data = folder("other", "data");
        List<Mount> mounts = List.of(
                new Mount("bind", root.toString(), List.of("rbind")),
                new Mount("bind", data.toString(), "/data/inner", List.of("rbind", "ro")));

        Mounts.mountAll(mounts, target);

        assertThat(target.resolve("data/inner/data")).exists();
        assertThatThrownBy(() -> Files.createFile(target.resolve("data/inner/b")))
                .hasMessageContaining("Read-only");
        Mounts.unmountAll(mounts, target);
        assertThat(mountsBelow(folder)).isEmpty();
    }

    @Test
    void aTargetBelowDoesNotLeadOutOfTheRoot() throws Exception {
        Path outside = folder("outside", "secret");
        Path root = folder("root", "file");
        Files.createSymbolicLink(root.resolve("link"), outside);
        Path data = folder("other", "data");
        List<Mount> mounts = List.of(
                new Mount("bind", root.toString(), List.of("rbind")),
                new Mount("bind", data.toString(), "link", List.of("rbind")));

        assertThatThrownBy(() -> Mounts.mountAll(mounts, target)).isInstanceOf(ErrnoException.class);

        assertThat(outside.resolve("data")).doesNotExist();
        assertThat(mountsBelow(folder)).as("the first mount is undone").isEmpty();
    }

    @Test
    void aTemporaryMountIsGoneAfterwards() throws Exception {
        Mount bind = new Mount("bind", folder("source", "a").toString(), List.of("rbind"));
        List<Path> roots = new ArrayList<>();

        String result = Mounts.withTempMount(List.of(bind), folder, root -> {
            roots.add(root);
            assertThat(root.resolve("a")).exists();
            return "result";
        });
        assertThatThrownBy(() -> Mounts.withTempMount(List.of(bind), folder, root -> {
                    roots.add(root);
                    throw new IOException("on purpose");
                }))
                .hasMessage("on purpose");

        assertThat(result).isEqualTo("result");
        assertThat(roots).hasSize(2).allSatisfy(root -> assertThat(root).doesNotExist());
        assertThat(folder.resolve("source/a")).exists();
    }

    @Test
    void aBusyTemporaryMountIsGoneAfterwards() throws Exception {
        Mount bind = new Mount("bind", folder("source", "a").toString(), List.of("rbind"));

        AutoCloseable open =
                Mounts.withTempMount(List.of(bind), folder, root -> Files.newInputStream(root.resolve("a")));

        assertThat(mountsBelow(folder)).isEmpty();
        open.close();
    }

    @Test
    void volatileIsDroppedFromATemporaryMount() throws Exception {
        Mount overlay = overlay(List.of(folder("a", "a")));
        List<String> options = new ArrayList<>(overlay.options());
        options.add("volatile");
        Mount vol = new Mount("overlay", "overlay", options);

        for (int i = 0; i < 2; i++) {
            boolean seen = Mounts.withTempMount(List.of(vol), folder, root -> Files.exists(root.resolve("a")));
            assertThat(seen).isTrue();
        }
    }

    @Test
    void aBindMountMapsOwners() throws Exception {
        Path source = folder("source", "a");

        mountMapped(new Mount("bind", source.toString(), List.of("rbind", "uidmap=0:70000:100", "gidmap=0:80000:100")));

        assertThat(FileStat.of(target.resolve("a")).uid()).isEqualTo(70000);
        assertThat(FileStat.of(target.resolve("a")).gid()).isEqualTo(80000);
        assertThat(FileStat.of(source.resolve("a")).uid()).isZero();
    }

    @Test
    void anOverlayMapsOwnersOfItsLowerFolders() throws Exception {
        Path lower = folder("a", "a");
        FileCalls.lchown(lower.resolve("a"), 5, 6);
        Mount overlay = overlay(List.of(folder("b", "b"), lower));
        List<String> options = new ArrayList<>(List.of("uidmap=0:70000:100", "gidmap=0:80000:100"));
        options.addAll(overlay.options());

        mountMapped(new Mount("overlay", "overlay", options));

        assertThat(FileStat.of(target.resolve("a")).uid()).isEqualTo(70005);
        assertThat(FileStat.of(target.resolve("a")).gid()).isEqualTo(80006);
        assertThat(FileStat.of(target.resolve("b")).uid()).isEqualTo(70000);
        assertThat(Path.of(System.getProperty("java.io.tmpdir"))).isDirectoryNotContaining("glob:**/overlay-idmapped*");
    }

    private void mountMapped(Mount mount) throws IOException {
        try {
            Mounts.mountAll(List.of(mount), target);
        } catch (ErrnoException e) {
            assumeTrue(
                    e.errno() != Errno.EINVAL && e.errno() != Errno.ENOSYS && e.errno() != Errno.EPERM,
                    "this kernel or file system does not map owners: " + e.getMessage());
            throw e;
        }
    }

    private List<Path> lowerFolders(String parent, int count) throws IOException {
        List<Path> lower = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            lower.add(folder(parent + "/some-folder-that-has-a-longer-name-" + i, "file-" + i));
        }
        return lower;
    }

    private Mount overlay(List<Path> lower) throws IOException {
        Path upper = Files.createDirectories(folder.resolve("upper"));
        Path work = Files.createDirectories(folder.resolve("work"));
        return new Mount(
                "overlay",
                "overlay",
                List.of(
                        "workdir=" + work,
                        "upperdir=" + upper,
                        "lowerdir="
                                + String.join(
                                        ":", lower.stream().map(Path::toString).toList()),
                        "index=off"));
    }

    private Path folder(String name, String file) throws IOException {
        Path made = Files.createDirectories(folder.resolve(name));
        Files.createFile(made.resolve(file));
        return made;
    }

    private static List<String> mountsBelow(Path folder) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                .filter(line -> line.contains(" " + folder + "/"))
                .toList();
    }
}
