package dev.longshore.daemon.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class BundleIT {

    private static final NamespaceId NAMESPACE = new NamespaceId("default");
    private static final String SPEC = "{ \"ociVersion\": \"1.0.2\",  \"linux\": {} }\n";

    @TempDir
    private Path folder;

    private Path state;
    private Path root;

    @BeforeEach
    void setUp() {
        state = folder.resolve("state");
        root = folder.resolve("root");
    }

    @Test
    void foldersAreAsContainerdMakesThem() throws IOException {
        Bundle bundle = create("c1", SPEC);

        assertThat(bundle.path()).isEqualTo(state.resolve("default/c1"));
        assertThat(mode(bundle.path())).isEqualTo("rwx------");
        assertThat(mode(bundle.path().resolve("rootfs"))).isEqualTo("rwx--x--x");
        assertThat(mode(state.resolve("default"))).isEqualTo("rwx--x--x");
        assertThat(Files.readSymbolicLink(bundle.path().resolve("work"))).isEqualTo(root.resolve("default/c1"));
        assertThat(root.resolve("default/c1")).isEmptyDirectory();
        assertThat(bundle.path().resolve("config.json")).hasBinaryContent(SPEC.getBytes(UTF_8));
    }

    @Test
    void bundleOfARemappedContainerIsOpenToItsGroup() throws IOException {
        assumeTrue(ProcessHandle.current().info().user().orElse("").equals("root"), "changing groups needs root");

        Bundle bundle = create(
                "c1",
                "{\"linux\":{\"gidMappings\":[{\"containerID\":5,\"hostID\":1,\"size\":1},{\"hostID\":70000,\"size\":9}]}}");

        assertThat(mode(bundle.path())).isEqualTo("rwx--x---");
        assertThat(Files.getAttribute(bundle.path(), "unix:gid")).isEqualTo(70000);
    }

    @Test
    void specThatIsNotJsonIsInvalidAndLeavesNothing() {
        assertThatThrownBy(() -> create("c1", "ociVersion: 1"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("not JSON");
        assertThat(state.resolve("default/c1")).doesNotExist();
        assertThat(state.resolve("default/.c1")).doesNotExist();
    }

    @Test
    void secondBundleOfTheSameIdAlreadyExists() throws IOException {
        create("c1", SPEC);

        assertThatThrownBy(() -> create("c1", SPEC)).isInstanceOf(AlreadyExistsException.class);
        assertThat(state.resolve("default/c1/config.json")).exists();
    }

    @Test
    void idThatIsNoneIsInvalid() {
        assertThatThrownBy(() -> create("../x", SPEC)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void staleWorkFolderIsReplaced() throws IOException {
        Files.createDirectories(root.resolve("default/c1/stale"));

        create("c1", SPEC);

        assertThat(root.resolve("default/c1")).isEmptyDirectory();
    }

    @Test
    void deletionUnmountsTheRootFileSystemFirst() throws IOException {
        assumeTrue(ProcessHandle.current().info().user().orElse("").equals("root"), "mounting needs root");
        Bundle bundle = create("c 1".replace(' ', '-'), SPEC);
        Path lower = Files.createDirectories(folder.resolve("lower dir/inner"));
        Files.writeString(lower.resolve("precious"), "x");
        MountCalls.mount(lower.toString(), bundle.rootfs(), "bind", MountCalls.MS_BIND, "");
        MountCalls.mount(lower.toString(), bundle.rootfs(), "bind", MountCalls.MS_BIND, "");

        bundle.delete();

        assertThat(bundle.path()).doesNotExist();
        assertThat(root.resolve("default/c1")).doesNotExist();
        assertThat(lower.resolve("precious")).exists();
        assertThat(state.resolve("default")).isEmptyDirectory();
    }

    @Test
    void filesInTheRootFileSystemAreNotDeletedWithIt() throws IOException {
        Bundle bundle = create("c1", SPEC);
        Files.writeString(bundle.rootfs().resolve("file"), "not ours");

        assertThatThrownBy(bundle::delete).isInstanceOf(IOException.class);
        assertThat(bundle.rootfs().resolve("file")).exists();
    }

    @Test
    void deletingTwiceIsFine() throws IOException {
        Bundle bundle = create("c1", SPEC);

        bundle.delete();
        bundle.delete();
    }

    @Test
    void leftoversOfAnInterruptedDeletionAreRemoved() throws IOException {
        Files.createDirectories(state.resolve("default/.c1/rootfs"));
        Files.createDirectories(state.resolve("default/c2"));

        Bundle.deleteHidden(state.resolve("default"));

        assertThat(state.resolve("default/.c1")).doesNotExist();
        assertThat(state.resolve("default/c2")).exists();
    }

    @Test
    void bootstrapIsReadAgain() throws IOException {
        Bundle bundle = create("c1", SPEC);
        assertThat(bundle.bootstrap()).isEmpty();
        assertThat(bundle.shimBinary()).isEmpty();

        BootstrapAnswer answer = new BootstrapAnswer(3, "unix:///run/x", "ttrpc");
        bundle.writeBootstrap(answer);
        bundle.writeShimBinary(Path.of("/usr/bin/shim"));

        assertThat(bundle.bootstrap()).contains(answer);
        assertThat(bundle.shimBinary()).contains("/usr/bin/shim");
        assertThat(mode(bundle.path().resolve("shim-binary-path"))).isEqualTo("rw-------");
    }

    @Test
    void addressFileOfAnOldShimIsRead() throws IOException {
        Bundle bundle = create("c1", SPEC);
        Files.writeString(bundle.path().resolve("address"), "unix:///run/containerd/s/abc");

        assertThat(bundle.bootstrap()).contains(new BootstrapAnswer(2, "unix:///run/containerd/s/abc", "ttrpc"));
    }

    @Test
    void mountsBelowTheRootFileSystemOnlyAreFound() {
        List<String> mountInfo = List.of(
                "30 1 0:1 / / rw - ext4 /dev/sda rw",
                "31 30 0:2 / /s/default/c1/rootfs rw - overlay overlay rw",
                "32 31 0:3 / /s/default/c1/rootfs/a\\040b rw - tmpfs tmpfs rw",
                "33 30 0:4 / /s/default/c10/rootfs rw - overlay overlay rw");

        assertThat(RootfsMounts.below(Path.of("/s/default/c1/rootfs"), mountInfo))
                .containsExactly(Path.of("/s/default/c1/rootfs"), Path.of("/s/default/c1/rootfs/a b"));
    }

    private Bundle create(String id, String spec) throws IOException {
        return Bundle.create(
                state, root, NAMESPACE, id, Optional.of(new TypedValue(Bundle.SPEC_TYPE, spec.getBytes(UTF_8))));
    }

    private static String mode(Path file) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }
}
