package dev.longshore.sdk.tar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.tar.RawTar.Member;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Archives of commons-compress, read; and ours, read by it. */
final class CommonsCompressTest {

    private static final String LONG_NAME = "folder/" + "ü-name".repeat(40) + "\nsecond line";
    private static final Instant MODIFIED = Instant.ofEpochSecond(1_700_000_000, 123_456_700);

    @ParameterizedTest
    @ValueSource(ints = {TarArchiveOutputStream.LONGFILE_GNU, TarArchiveOutputStream.LONGFILE_POSIX})
    void itsLongNamesAndBigNumbersAreRead(int longFileMode) throws IOException {
        boolean posix = longFileMode == TarArchiveOutputStream.LONGFILE_POSIX;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream writer = new TarArchiveOutputStream(bytes, "UTF-8")) {
            writer.setLongFileMode(longFileMode);
            writer.setBigNumberMode(
                    posix ? TarArchiveOutputStream.BIGNUMBER_POSIX : TarArchiveOutputStream.BIGNUMBER_STAR);
            writer.setAddPaxHeadersForNonAsciiNames(posix);
            TarArchiveEntry file = new TarArchiveEntry(LONG_NAME);
            file.setSize(7);
            file.setMode(04755);
            file.setUserId(3_000_000_000L);
            file.setGroupId(4_000_000_000L);
            file.setUserName("user");
            file.setGroupName("group");
            file.setLastModifiedTime(FileTime.from(MODIFIED));
            writer.putArchiveEntry(file);
            writer.write("content".getBytes(StandardCharsets.UTF_8));
            writer.closeArchiveEntry();
            TarArchiveEntry link = new TarArchiveEntry("link", TarConstants.LF_SYMLINK);
            link.setLinkName("../" + "t".repeat(150));
            writer.putArchiveEntry(link);
            writer.closeArchiveEntry();
            TarArchiveEntry device = new TarArchiveEntry("device", TarConstants.LF_CHR);
            device.setDevMajor(10);
            device.setDevMinor(200);
            writer.putArchiveEntry(device);
            writer.closeArchiveEntry();
            writer.putArchiveEntry(new TarArchiveEntry("folder/"));
            writer.closeArchiveEntry();
        }

        List<Member> members = RawTar.read(bytes.toByteArray());

        TarEntry file = members.getFirst().entry();
        assertThat(members.getFirst().content()).isEqualTo("content");
        assertThat(file.type()).isEqualTo(EntryType.FILE);
        assertThat(ByteStrings.text(file.name())).isEqualTo(LONG_NAME);
        assertThat(file.mode()).isEqualTo(04755);
        assertThat(file.uid()).isEqualTo(3_000_000_000L);
        assertThat(file.gid()).isEqualTo(4_000_000_000L);
        assertThat(file.userName()).isEqualTo("user");
        assertThat(file.groupName()).isEqualTo("group");
        assertThat(file.modified()).isEqualTo(posix ? MODIFIED : Instant.ofEpochSecond(MODIFIED.getEpochSecond()));
        TarEntry link = members.get(1).entry();
        assertThat(link.type()).isEqualTo(EntryType.SYMLINK);
        assertThat(link.linkName()).isEqualTo("../" + "t".repeat(150));
        TarEntry device = members.get(2).entry();
        assertThat(device.type()).isEqualTo(EntryType.CHARACTER_DEVICE);
        assertThat(device.deviceMajor()).isEqualTo(10);
        assertThat(device.deviceMinor()).isEqualTo(200);
        assertThat(members.get(3).entry().type()).isEqualTo(EntryType.DIRECTORY);
    }

    @Test
    void itReadsOurs() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter writer = new TarWriter(bytes)) {
            writer.write(TarEntry.builder(EntryType.FILE, ByteStrings.of(LONG_NAME))
                    .size(7)
                    .mode(04755)
                    .owner(3_000_000_000L, 4_000_000_000L)
                    .ownerNames("user", ByteStrings.of("gruppe-ü"))
                    .modified(MODIFIED)
                    .accessed(MODIFIED.plusSeconds(1))
                    .xattr("user.text", "value")
                    .build());
            writer.content("content".getBytes(StandardCharsets.UTF_8), 0, 7);
            writer.endContent(7);
            writer.write(TarEntry.builder(EntryType.HARD_LINK, "hard")
                    .linkName(ByteStrings.of(LONG_NAME))
                    .build());
            writer.write(
                    TarEntry.builder(EntryType.SYMLINK, "soft").linkName("x").build());
            writer.write(TarEntry.builder(EntryType.BLOCK_DEVICE, "device")
                    .device(8, 16)
                    .modified(Instant.ofEpochSecond(-100))
                    .build());
            writer.write(TarEntry.builder(EntryType.FIFO, "fifo").build());
            writer.write(TarEntry.builder(EntryType.DIRECTORY, "folder/").build());
        }
        try (TarArchiveInputStream reader =
                new TarArchiveInputStream(new ByteArrayInputStream(bytes.toByteArray()), "UTF-8")) {
            TarArchiveEntry file = reader.getNextEntry();
            assertThat(file.getName()).isEqualTo(LONG_NAME);
            assertThat(file.isFile()).isTrue();
            assertThat(new String(reader.readAllBytes(), StandardCharsets.UTF_8))
                    .isEqualTo("content");
            assertThat(file.getMode() & 07777).isEqualTo(04755);
            assertThat(file.getLongUserId()).isEqualTo(3_000_000_000L);
            assertThat(file.getLongGroupId()).isEqualTo(4_000_000_000L);
            assertThat(file.getUserName()).isEqualTo("user");
            assertThat(file.getGroupName()).isEqualTo("gruppe-ü");
            assertThat(file.getLastModifiedTime().toInstant()).isEqualTo(MODIFIED);
            assertThat(file.getLastAccessTime().toInstant()).isEqualTo(MODIFIED.plusSeconds(1));
            assertThat(file.getExtraPaxHeaders()).containsEntry("SCHILY.xattr.user.text", "value");
            TarArchiveEntry hard = reader.getNextEntry();
            assertThat(hard.isLink()).isTrue();
            assertThat(hard.getLinkName()).isEqualTo(LONG_NAME);
            TarArchiveEntry soft = reader.getNextEntry();
            assertThat(soft.isSymbolicLink()).isTrue();
            assertThat(soft.getLinkName()).isEqualTo("x");
            TarArchiveEntry device = reader.getNextEntry();
            assertThat(device.isBlockDevice()).isTrue();
            assertThat(device.getDevMajor()).isEqualTo(8);
            assertThat(device.getDevMinor()).isEqualTo(16);
            assertThat(device.getLastModifiedTime().toInstant()).isEqualTo(Instant.ofEpochSecond(-100));
            assertThat(reader.getNextEntry().isFIFO()).isTrue();
            assertThat(reader.getNextEntry().isDirectory()).isTrue();
            assertThat(reader.getNextEntry()).isNull();
        }
    }
}
