package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code longshore-suite} and {@code longshore-aot}. */
class SuiteIT {

    @TempDir
    private Path folder;

    private Path root;

    @BeforeEach
    void needRoot() {
        Programs.needRoot();
        assumeFalse("containerd".equals(System.getProperty("longshore.peer")), "is about Longshore's own programs");
        root = folder.resolve("suite");
    }

    @AfterEach
    void down() {
        if (root != null && Files.exists(root)) {
            suite("down", "--kill-containers").ok();
        }
    }

    private Ran suite(String... arguments) {
        List<String> command = new ArrayList<>(
                List.of(Suite.distribution().resolve("bin/longshore-suite").toString()));
        command.addAll(List.of(arguments));
        command.addAll(List.of("--root", root.toString()));
        return Programs.run(command);
    }

    private Ran longshore(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Suite.distribution().resolve("bin/longshore").toString(),
                "--address",
                root.resolve("run/longshore.sock").toString()));
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    @Test
    void suiteIsReadyWhenUpReturnsAndGoneWhenDownDoes() throws IOException {
        assertThat(suite("up").ok().out()).contains("address: " + root.resolve("run/longshore.sock"));
        assertThat(longshore("plugins").ok().row("overlayfs")).contains("ready");
        Ran status = suite("status").ok();
        assertThat(status.row("longshored")[1]).isEqualTo("ready");
        assertThat(status.row("longshore-snapshotter-overlay")[1]).isEqualTo("ready");
        String pid = status.row("longshored")[3];

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve("run/longshore.sock"))))
                .isEqualTo("rw-rw----");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve("run/overlay.sock"))))
                .isEqualTo("rw-------");

        assertThat(suite("up").ok().out()).as("up again changes nothing").contains(pid);
        suite("down").ok();
        assertThat(suite("status").exitedWith(1).row("longshored")[1]).isEqualTo("stopped");
        assertThat(Programs.hasEnded(Long.parseLong(pid))).isTrue();
        assertThat(root.resolve("run/longshore.sock")).doesNotExist();
    }

    @Test
    void configurationOfOnesOwnIsLeftAlone() throws IOException {
        suite("up").ok();
        suite("down").ok();
        Path config = root.resolve("config.toml");
        String changed = Files.readString(config) + "\n# mine\n";
        Files.writeString(config, changed);
        suite("up").ok();
        assertThat(config).hasContent(changed);
    }

    @Test
    void mountsOutsideOfTheSnapshottersFolderAreRefused() throws IOException {
        Programs.need("ctr");
        suite("up").ok();
        assertThat(prepare("inside").ok().out()).isEmpty();
        suite("down").ok();
        Path config = root.resolve("config.toml");
        Path overlay = root.resolve("lib/overlay");
        String written = Files.readString(config);
        assertThat(written).contains("root = \"%s\"".formatted(overlay));
        Files.writeString(config, written.replace(overlay.toString(), overlay + "2"));
        suite("up").ok();
        assertThat(prepare("outside").exitedWith(1).err())
                .contains("overlayfs", "which is not below %s2, its exports.root".formatted(overlay));
    }

    private Ran prepare(String key) {
        return Programs.run(List.of(
                "ctr", "--address", root.resolve("run/longshore.sock").toString(), "snapshots", "prepare", key));
    }

    @Test
    void mistakeInTheConfigurationIsShown() throws IOException {
        Files.createDirectories(root);
        Files.writeString(root.resolve("config.toml"), "version = 3\nroot = 5\n");
        Ran up = suite("up", "--timeout", "20").exitedWith(1);
        assertThat(up.err()).contains("config.toml:2");
    }

    @Test
    void killedProgramIsStartedByTheNextUp() {
        suite("up").ok();
        String pid = suite("status").ok().row("longshored")[3];
        Programs.run(List.of("kill", "-9", pid)).ok();
        suite("status").exitedWith(1);
        suite("up").ok();
        assertThat(suite("status").ok().row("longshored")[3]).isNotEqualTo(pid);
        longshore("image", "ls").ok();
    }

    @Test
    void wrongCommandLineIsExplained() {
        root = folder.resolve("nothing");
        assertThat(suite("sideways").exitedWith(2).err()).contains("usage:");
        assertThat(suite("up", "--snapshotter", "nothing").exitedWith(1).err()).contains("overlay");
        root = folder.resolve("x".repeat(100));
        assertThat(suite("up").exitedWith(1).err()).contains("too long");
        assertThat(root).doesNotExist();
    }

    @Test
    void everyProgramStartsFromItsCache() {
        Programs.need("runc", "busybox");
        Path bin = Suite.distribution().resolve("bin");
        Programs.run(List.of(bin.resolve("longshore-aot").toString(), "--if-missing"))
                .ok();
        for (String program : List.of("longshored", "longshore-snapshotter-overlay", "longshore")) {
            Programs.run(List.of(bin.resolve(program).toString(), "--version"), "", Map.of("LONGSHORE_AOT", "require"))
                    .ok();
        }
        Programs.run(
                        List.of(bin.resolve("containerd-shim-runc-v2").toString(), "-info"),
                        "",
                        Map.of("LONGSHORE_AOT", "require"))
                .ok();
    }
}
