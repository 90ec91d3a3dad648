package dev.longshore.snapshots;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.snapshot.Usage;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TreesIT {

    /** The longest path, of 4096 bytes, has fewer levels. */
    private static final int DEEP = 3_000;

    @TempDir
    private Path folder;

    @Test
    void usageIsWhatDuSays() throws Exception {
        Path root = Files.createDirectories(folder.resolve("root"));
        for (int i = 0; i < 50; i++) {
            Path sub = Files.createDirectories(root.resolve("d" + i % 7 + "/e" + i));
            Files.write(sub.resolve("file"), new byte[i * 997]);
            Files.createLink(root.resolve("link-" + i), sub.resolve("file"));
            Files.createSymbolicLink(sub.resolve("soft"), Path.of("/nowhere"));
        }
        try (RandomAccessFile sparse =
                new RandomAccessFile(root.resolve("sparse").toFile(), "rw")) {
            sparse.setLength(1 << 30);
        }

        Usage usage = Trees.usage(root);

        assertThat(usage.size()).isEqualTo(du("-s", "--block-size=1", root.toString()));
        assertThat(usage.inodes()).isEqualTo(du("-s", "--inodes", root.toString()));
    }

    private static long du(String... arguments) throws Exception {
        String[] command = new String[arguments.length + 1];
        command[0] = "du";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        return Long.parseLong(output.split("\\s", 2)[0]);
    }

    @Test
    void depthIsNoLimit() throws Exception {
        Path root = Files.createDirectories(folder.resolve("root"));
        byte[] name = {'d'};
        Folder deepest = Folder.open(root);
        for (int i = 0; i < DEEP; i++) {
            deepest.makeFolder(name, 0755);
            Folder next = deepest.child(name);
            deepest.close();
            deepest = next;
        }
        deepest.close();

        assertThat(Trees.usage(root).inodes()).isEqualTo(DEEP + 1);
        Trees.remove(root);

        assertThat(root).doesNotExist();
    }

    @Test
    void linksAreRemovedAndNotFollowed() throws Exception {
        Path outside = Files.createDirectories(folder.resolve("outside"));
        Files.writeString(outside.resolve("file"), "precious");
        Path root = Files.createDirectories(folder.resolve("root/sub"));
        Files.createSymbolicLink(root.resolve("folder"), outside);
        Files.createSymbolicLink(root.resolve("up"), Path.of("../.."));

        Trees.remove(folder.resolve("root"));

        assertThat(folder.resolve("root")).doesNotExist();
        assertThat(outside.resolve("file")).hasContent("precious");
    }

    @Test
    void aRootThatIsALinkIsNotRemoved() throws Exception {
        Path outside = Files.createDirectories(folder.resolve("outside"));
        Files.createSymbolicLink(folder.resolve("root"), outside);

        assertThatThrownBy(() -> Trees.remove(folder.resolve("root")))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isIn(Errno.ELOOP, Errno.ENOTDIR));
        assertThat(outside).exists();
    }

    @Test
    void whatIsGoneIsFine() throws Exception {
        Trees.remove(folder.resolve("none"));
    }
}
