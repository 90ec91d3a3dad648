package dev.longshore.sdk.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileCallsIT {

    @TempDir
    private Path folder;

    @Test
    void statSaysWhatTheFileIs() throws Exception {
        Path file = Files.write(folder.resolve("file"), new byte[5000]);
        Files.createLink(folder.resolve("link"), file);
        FileCalls.chmod(file, 04751);
        Instant modified = Instant.ofEpochSecond(1_000_000_000L, 123_456_789);
        FileCalls.times(file, Instant.EPOCH, modified);

        FileStat stat = FileStat.of(file);

        assertThat(stat.isRegularFile()).isTrue();
        assertThat(stat.permissions()).isEqualTo(04751);
        assertThat(stat.links()).isEqualTo(2);
        assertThat(stat.size()).isEqualTo(5000);
        assertThat(stat.blocks() * 512).isBetween(5000L, 65536L);
        assertThat(stat.modified()).isEqualTo(modified);
        assertThat(stat.inode()).isEqualTo(Files.getAttribute(file, "unix:ino"));
    }

    @Test
    void symbolicLinksAreNotFollowed() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("nowhere"));

        assertThat(FileStat.of(link).isSymbolicLink()).isTrue();
    }

    @Test
    void aMissingFileIsEnoent() {
        assertThatThrownBy(() -> FileStat.of(folder.resolve("none")))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
    }

    @Test
    void extendedAttributesAreBinary() throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        byte[] value = new byte[300];
        for (int i = 0; i < value.length; i++) {
            value[i] = (byte) i;
        }

        Xattrs.set(file, "user.some", value);
        Xattrs.set(file, "user.empty", new byte[0]);

        assertThat(Xattrs.get(file, "user.some")).hasValue(value);
        assertThat(Xattrs.get(file, "user.empty")).hasValue(new byte[0]);
        assertThat(Xattrs.get(file, "user.none")).isEmpty();
        assertThat(Xattrs.list(file)).contains("user.some", "user.empty");
        Xattrs.remove(file, "user.some");
        assertThat(Xattrs.list(file)).doesNotContain("user.some").contains("user.empty");
        assertThatThrownBy(() -> Xattrs.remove(file, "user.some"))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENODATA));
    }

    @Test
    void devicesAndOwnersAreAsAsked() throws Exception {
        assumeRoot();
        Path device = folder.resolve("device");
        FileCalls.mknod(device, FileStat.S_IFCHR | 0600, 4095, 1_000_000);
        FileCalls.lchown(device, 123456, 654321);

        FileStat stat = FileStat.of(device);

        assertThat(stat.isCharacterDevice()).isTrue();
        assertThat(stat.specialDevice()).isEqualTo(4095L << 32 | 1_000_000);
        assertThat(stat.uid()).isEqualTo(123456);
        assertThat(stat.gid()).isEqualTo(654321);
    }

    @Test
    void aFolderTellsItsEntriesWhateverTheyAreCalled() throws Exception {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            String name = "a-name-that-takes-some-room-in-the-buffer-" + i;
            names.add(name);
            Files.createFile(folder.resolve(name));
        }
        byte[] raw = {'x', (byte) 0xff};
        try (Folder open = Folder.open(folder)) {
            open.makeFolder(raw, 0755);

            List<Folder.Entry> entries = open.entries();

            assertThat(entries)
                    .extracting(Folder.Entry::text)
                    .containsAll(names)
                    .hasSize(2001);
            assertThat(entries)
                    .filteredOn(Folder.Entry::isFolder)
                    .singleElement()
                    .satisfies(entry -> assertThat(entry.name()).isEqualTo(raw));
            assertThat(open.stat(raw).isFolder()).isTrue();
            open.removeFolder(raw);
            assertThatThrownBy(() -> open.stat(raw)).isInstanceOf(ErrnoException.class);
        }
    }

    @Test
    void aSymbolicLinkIsNoFolder() throws Exception {
        Files.createDirectory(folder.resolve("real"));
        Files.createSymbolicLink(folder.resolve("link"), Path.of("real"));
        try (Folder open = Folder.open(folder)) {
            assertThatThrownBy(() -> open.child("link".getBytes(StandardCharsets.US_ASCII)))
                    .isInstanceOf(ErrnoException.class);
        }
    }

    @Test
    void aZeroByteDoesNotCutAPathShort() {
        assertThatThrownBy(() -> Xattrs.get(folder, "user.a\0b")).isInstanceOf(IllegalArgumentException.class);
    }

    private static void assumeRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot make devices");
    }
}
