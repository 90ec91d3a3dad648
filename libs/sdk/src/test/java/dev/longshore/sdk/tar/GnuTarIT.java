package dev.longshore.sdk.tar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.RawTar.Member;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Archives of GNU tar, read; and ours, unpacked by it. */
final class GnuTarIT {

    private static final String LONG = "long-" + "n".repeat(150);
    private static final Instant MODIFIED = Instant.ofEpochSecond(1_600_000_000, 987_654_321);
    private static final byte[] BINARY = {0, 1, (byte) 0xff, '\n', '=', 0};

    @TempDir
    private Path folder;

    @BeforeEach
    void needsRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot make devices and other owners");
    }

    private static void run(Path where, List<String> command) throws Exception {
        Path log = Files.createTempFile("tar", ".log");
        Process process = new ProcessBuilder(command)
                .directory(where.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(process.waitFor())
                .as("%s: %s", command, Files.readString(log))
                .isZero();
        Files.delete(log);
    }

    private Path tree() throws IOException {
        Path tree = Files.createDirectory(folder.resolve("tree"));
        Files.createDirectory(tree.resolve("d"));
        Path file = Files.writeString(tree.resolve("d/ünïcode\nname"), "content");
        Files.createLink(tree.resolve("hard"), file);
        Files.createSymbolicLink(tree.resolve("soft"), Path.of("t".repeat(180)));
        Files.writeString(tree.resolve(LONG), "long");
        FileCalls.mknod(tree.resolve("char"), FileStat.S_IFCHR | 0600, 5, 300);
        FileCalls.mknod(tree.resolve("block"), FileStat.S_IFBLK | 0640, 259, 70_000);
        FileCalls.mknod(tree.resolve("fifo"), FileStat.S_IFIFO | 0600, 0, 0);
        FileCalls.lchown(file, 70_000, 60_000);
        FileCalls.chmod(file, 06755);
        FileCalls.times(file, MODIFIED, MODIFIED);
        return tree;
    }

    private Map<String, Member> archived(List<String> options) throws Exception {
        Path archive = folder.resolve("archive.tar");
        List<String> command = new ArrayList<>(List.of("tar", "--create", "--file", archive.toString()));
        command.addAll(options);
        command.add("--directory=" + folder.resolve("tree"));
        command.add(".");
        run(folder, command);
        return RawTar.read(Files.readAllBytes(archive)).stream()
                .collect(Collectors.toMap(
                        member -> ByteStrings.text(member.entry().name()), member -> member));
    }

    private static Member member(Map<String, Member> members, String name) {
        return Optional.ofNullable(members.get(name)).orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gnu", "oldgnu", "posix"})
    void itsArchivesAreRead(String format) throws Exception {
        tree();
        Map<String, Member> members = archived(List.of("--format=" + format, "--sort=name"));
        TarEntry file = member(members, "./d/ünïcode\nname").entry();
        assertThat(file.type()).isEqualTo(EntryType.FILE);
        assertThat(member(members, "./d/ünïcode\nname").content()).isEqualTo("content");
        assertThat(file.mode()).isEqualTo(06755);
        assertThat(file.uid()).isEqualTo(70_000);
        assertThat(file.gid()).isEqualTo(60_000);
        assertThat(file.modified())
                .isEqualTo(format.equals("posix") ? MODIFIED : Instant.ofEpochSecond(MODIFIED.getEpochSecond()));
        assertThat(member(members, "./hard").entry().type()).isEqualTo(EntryType.HARD_LINK);
        assertThat(ByteStrings.text(member(members, "./hard").entry().linkName()))
                .isEqualTo("./d/ünïcode\nname");
        assertThat(member(members, "./soft").entry().linkName()).isEqualTo("t".repeat(180));
        assertThat(member(members, "./" + LONG).content()).isEqualTo("long");
        assertThat(member(members, "./d/").entry().type()).isEqualTo(EntryType.DIRECTORY);
        assertThat(member(members, "./char").entry())
                .returns(EntryType.CHARACTER_DEVICE, TarEntry::type)
                .returns(5L, TarEntry::deviceMajor)
                .returns(300L, TarEntry::deviceMinor);
        assertThat(member(members, "./block").entry())
                .returns(EntryType.BLOCK_DEVICE, TarEntry::type)
                .returns(259L, TarEntry::deviceMajor)
                .returns(70_000L, TarEntry::deviceMinor);
        assertThat(member(members, "./fifo").entry().type()).isEqualTo(EntryType.FIFO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"v7", "ustar"})
    void itsOldestArchivesAreRead(String format) throws Exception {
        Path tree = Files.createDirectories(folder.resolve("tree"));
        Path deep = Files.createDirectories(tree.resolve("p".repeat(format.equals("v7") ? 20 : 90)));
        Files.writeString(deep.resolve("q".repeat(60)), "content");
        Map<String, Member> members = archived(List.of("--format=" + format));
        assertThat(member(members, "./" + deep.getFileName() + "/" + "q".repeat(60))
                        .content())
                .isEqualTo("content");
        assertThat(member(members, "./" + deep.getFileName() + "/").entry().type())
                .isEqualTo(EntryType.DIRECTORY);
    }

    @Test
    void itsAttributesAreRead() throws Exception {
        Path tree = Files.createDirectories(folder.resolve("tree"));
        Path file = Files.createFile(tree.resolve("f"));
        Xattrs.set(file, "trusted.binary", BINARY);
        Map<String, Member> members =
                archived(List.of("--format=posix", "--xattrs", "--xattrs-include=*", "--no-acls", "--no-selinux"));
        assertThat(member(members, "./f").entry().xattrs()).containsEntry("trusted.binary", ByteStrings.of(BINARY));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gnu", "0.0", "0.1", "1.0"})
    void itsSparseFilesAreRead(String version) throws Exception {
        Path tree = Files.createDirectories(folder.resolve("tree"));
        byte[] block = "x".repeat(4096).getBytes(StandardCharsets.UTF_8);
        // More pieces than the first header of the old form has room for.
        List<Long> offsets = new ArrayList<>();
        for (long i = 0; i < 30; i++) {
            offsets.add(i * (1L << 20));
        }
        offsets.add(9L << 30);
        try (RandomAccessFile file = new RandomAccessFile(tree.resolve("f").toFile(), "rw")) {
            for (long offset : offsets) {
                file.seek(offset);
                file.write(block);
            }
            file.setLength(10L << 30);
        }
        try (RandomAccessFile file =
                new RandomAccessFile(tree.resolve("holes-only").toFile(), "rw")) {
            file.setLength(1 << 20);
        }
        Map<String, Member> members = archived(
                version.equals("gnu")
                        ? List.of("--format=gnu", "--sparse")
                        : List.of("--format=posix", "--sparse", "--sparse-version=" + version));
        Member member = member(members, "./f");
        assertThat(member.entry().size()).isEqualTo(10L << 30);
        assertThat(member.segments().stream()
                        .filter(segment -> segment.length() > 0)
                        .toList())
                .isEqualTo(offsets.stream()
                        .map(offset -> new Segment(offset, 4096))
                        .toList());
        assertThat(member.content()).isEqualTo("x".repeat(4096 * offsets.size()));
        assertThat(member(members, "./holes-only").entry().size()).isEqualTo(1 << 20);
        assertThat(member(members, "./holes-only").content()).isEmpty();
    }

    @Test
    void itUnpacksOurs() throws Exception {
        Path archive = folder.resolve("ours.tar");
        try (OutputStream out = Files.newOutputStream(archive);
                TarWriter writer = new TarWriter(out)) {
            writer.write(TarEntry.builder(EntryType.DIRECTORY, "d/").mode(01777).build());
            writer.write(TarEntry.builder(EntryType.FILE, ByteStrings.of("d/ünïcode\nname"))
                    .size(7)
                    .mode(06755)
                    .owner(3_000_000, 60_000)
                    .modified(MODIFIED)
                    .xattr("trusted.binary", ByteStrings.of(BINARY))
                    .build());
            writer.content("content".getBytes(StandardCharsets.UTF_8), 0, 7);
            writer.endContent(7);
            writer.write(TarEntry.builder(EntryType.HARD_LINK, LONG)
                    .linkName(ByteStrings.of("d/ünïcode\nname"))
                    .build());
            writer.write(TarEntry.builder(EntryType.SYMLINK, "soft")
                    .linkName("t".repeat(180))
                    .modified(Instant.ofEpochSecond(-1_000, 500))
                    .build());
            writer.write(TarEntry.builder(EntryType.CHARACTER_DEVICE, "char")
                    .device(259, 70_000)
                    .mode(0600)
                    .build());
            writer.write(TarEntry.builder(EntryType.FIFO, "fifo").mode(0600).build());
        }
        Path unpacked = Files.createDirectory(folder.resolve("unpacked"));
        run(
                unpacked,
                List.of(
                        "tar",
                        "--extract",
                        "--same-owner",
                        "-p",
                        "--xattrs",
                        "--xattrs-include=*",
                        "--numeric-owner",
                        "--file",
                        archive.toString()));

        assertThat(FileStat.of(unpacked.resolve("d")).permissions()).isEqualTo(01777);
        Path file = unpacked.resolve("d/ünïcode\nname");
        assertThat(Files.readString(file)).isEqualTo("content");
        FileStat stat = FileStat.of(file);
        assertThat(stat.permissions()).isEqualTo(06755);
        assertThat(stat.uid()).isEqualTo(3_000_000);
        assertThat(stat.gid()).isEqualTo(60_000);
        assertThat(stat.modified()).isEqualTo(MODIFIED);
        assertThat(Xattrs.get(file, "trusted.binary")).hasValue(BINARY);
        assertThat(FileStat.of(unpacked.resolve(LONG)).inode()).isEqualTo(stat.inode());
        assertThat(Files.readSymbolicLink(unpacked.resolve("soft"))).isEqualTo(Path.of("t".repeat(180)));
        assertThat(FileStat.of(unpacked.resolve("char")))
                .returns(true, FileStat::isCharacterDevice)
                .returns(259L << 32 | 70_000, FileStat::specialDevice);
        assertThat(Files.exists(unpacked.resolve("fifo"), LinkOption.NOFOLLOW_LINKS))
                .isTrue();
    }
}
