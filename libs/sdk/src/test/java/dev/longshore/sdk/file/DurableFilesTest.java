package dev.longshore.sdk.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DurableFilesTest {

    @TempDir
    private Path folder;

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private long files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.count();
        }
    }

    @Test
    void aFileIsWrittenAndReplacedAsAWhole() throws IOException {
        Path file = folder.resolve("f");
        DurableFiles.write(file, bytes("a long first version"));
        DurableFiles.write(file, bytes("second"));
        assertThat(file).hasContent("second");
        assertThat(files()).as("nothing temporary is left").isEqualTo(1);
    }

    @Test
    void onlyTheOwnerReadsIt() throws IOException {
        Path file = folder.resolve("f");
        DurableFiles.write(file, bytes("secret"));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
    }

    /** What a writer that was killed has left, of whatever mode and length. */
    @Test
    void aTemporaryFileThatWasLeftIsNoObstacle() throws IOException {
        Path file = folder.resolve("f");
        Path left = Files.writeString(folder.resolve("f.tmp"), "much longer than what is written now");
        Files.setPosixFilePermissions(left, PosixFilePermissions.fromString("rw-rw-rw-"));
        DurableFiles.write(file, bytes("new"));
        assertThat(file).hasContent("new");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        assertThat(files()).isEqualTo(1);
    }

    @Test
    void aLinkIsReplacedAndNotWrittenThrough() throws IOException {
        Path target = Files.writeString(folder.resolve("target"), "kept");
        Path file = Files.createSymbolicLink(folder.resolve("f"), target);
        Files.createSymbolicLink(folder.resolve("f.tmp"), target);
        DurableFiles.write(file, bytes("new"));
        assertThat(target).hasContent("kept");
        assertThat(Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)).isTrue();
    }

    @Test
    void whatCannotBeWrittenLeavesTheOldFile() throws IOException {
        Path file = folder.resolve("f");
        DurableFiles.write(file, bytes("old"));
        Files.createDirectories(folder.resolve("f.tmp/in-the-way"));
        assertThatThrownBy(() -> DurableFiles.write(file, bytes("new"))).isInstanceOf(IOException.class);
        assertThat(file).hasContent("old");
    }

    @Test
    void aFileIsMovedOverAnother() throws IOException {
        Path from = Files.writeString(folder.resolve("from"), "from");
        Path to = Files.writeString(folder.resolve("to"), "to");
        DurableFiles.move(from, to);
        assertThat(to).hasContent("from");
        assertThat(files()).isEqualTo(1);
    }

    @Test
    void whatIsNotThereIsNotMoved() {
        assertThatThrownBy(() -> DurableFiles.move(folder.resolve("none"), folder.resolve("to")))
                .isInstanceOf(NoSuchFileException.class);
    }
}
