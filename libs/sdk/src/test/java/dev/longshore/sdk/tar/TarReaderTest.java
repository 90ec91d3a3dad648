package dev.longshore.sdk.tar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.tar.RawTar.Header;
import dev.longshore.sdk.tar.RawTar.Member;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TarReaderTest {

    private static final TarLimits SMALL = new TarLimits(20, 300, 4096, 10);

    private static TarEntry only(RawTar archive) throws IOException {
        List<Member> members = RawTar.read(archive.end().bytes());
        assertThat(members).hasSize(1);
        return members.getFirst().entry();
    }

    private static void assertRefused(RawTar archive, String why) {
        assertRefused(archive, TarLimits.DEFAULT, why);
    }

    private static void assertRefused(RawTar archive, TarLimits limits, String why) {
        assertThatThrownBy(() -> RawTar.read(archive.end().bytes(), limits, GlobalHeaders.APPLY))
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining("tar archive at byte ")
                .hasMessageContaining(why);
    }

    // Names

    @Test
    void theUstarPrefixStandsBeforeTheName() throws IOException {
        RawTar archive = new RawTar().header(new Header('0', "name").text(HeaderBlock.PREFIX, "some/folder"));
        assertThat(only(archive).name()).isEqualTo("some/folder/name");
    }

    @Test
    void gnuHeadersHaveNoPrefix() throws IOException {
        RawTar archive = new RawTar()
                .header(new Header('0', "name")
                        .bytes(HeaderBlock.MAGIC, RawTar.GNU)
                        .text(HeaderBlock.PREFIX, "00000000000"));
        assertThat(only(archive).name()).isEqualTo("name");
    }

    @Test
    void aV7HeaderHasNoOwnerNames() throws IOException {
        TarEntry entry = only(new RawTar()
                .header(new Header('\0', "old")
                        .bytes(HeaderBlock.MAGIC, new byte[8])
                        .text(HeaderBlock.USER_NAME, "junk")));
        assertThat(entry.type()).isEqualTo(EntryType.FILE);
        assertThat(entry.userName()).isEmpty();
    }

    @Test
    void gnuLongNamesAndLinksCountForOneEntry() throws IOException {
        String name = "n".repeat(200);
        String link = "l".repeat(200);
        byte[] archive = new RawTar()
                .member(new Header('L', "././@LongLink"), name + "\0")
                .member(new Header('K', "././@LongLink"), link + "\0")
                .header(new Header('2', "n".repeat(100)).text(HeaderBlock.LINK_NAME, "short"))
                .file("next", "")
                .end()
                .bytes();
        List<Member> members = RawTar.read(archive);
        assertThat(members.getFirst().entry().name()).isEqualTo(name);
        assertThat(members.getFirst().entry().linkName()).isEqualTo(link);
        assertThat(members.getLast().entry().name()).isEqualTo("next");
    }

    /** As Go's reader, which containerd's layers are read with. */
    @Test
    void aGnuLongNameCountsMoreThanAPaxPath() throws IOException {
        RawTar archive = new RawTar()
                .pax("path", "pax")
                .member(new Header('L', "././@LongLink"), "gnu\0")
                .file("header", "");
        assertThat(only(archive).name()).isEqualTo("gnu");
    }

    @Test
    void onlyTheOldestFlagMakesADirectoryOfASlash() throws IOException {
        assertThat(only(new RawTar().header(new Header('\0', "d/"))).type()).isEqualTo(EntryType.DIRECTORY);
        Member file =
                RawTar.read(new RawTar().file("f/", "content").end().bytes()).getFirst();
        assertThat(file.entry().type()).isEqualTo(EntryType.FILE);
        assertThat(file.content()).isEqualTo("content");
    }

    // PAX

    /** POSIX: an empty value takes back what was said before, so that the header's own field counts. */
    @ParameterizedTest
    @ValueSource(strings = {"path", "linkpath", "size", "uid", "gid", "mtime", "atime", "uname", "gname"})
    void anEmptyPaxValueLeavesTheHeaderAsItIs(String key) throws IOException {
        RawTar plain = new RawTar().header(new Header('2', "name").text(HeaderBlock.LINK_NAME, "target"));
        RawTar emptied =
                new RawTar().pax(key, "").header(new Header('2', "name").text(HeaderBlock.LINK_NAME, "target"));
        assertThat(only(emptied)).isEqualTo(only(plain));
    }

    @Test
    void anEmptyAttributeIsAnAttribute() throws IOException {
        assertThat(only(new RawTar().pax("SCHILY.xattr.user.empty", "").file("f", ""))
                        .xattrs())
                .containsEntry("user.empty", "");
    }

    @Test
    void attributesOfLibarchiveAreUrlAndBase64() throws IOException {
        TarEntry entry = only(new RawTar()
                .pax("LIBARCHIVE.xattr.user.a%3Db+c", "AAECAw", "LIBARCHIVE.xattr.user.z", "/w==")
                .file("f", ""));
        assertThat(entry.xattrs())
                .containsEntry("user.a=b+c", "\0\u0001\u0002\u0003")
                .containsEntry("user.z", "\u00ff");
    }

    @ParameterizedTest
    @CsvSource({"user.%zz, AAAA", "user.%, AAAA", "user.a%00b, AAAA", "user.a, =A=A"})
    void attributesOfLibarchiveThatAreNoneAreRefused(String name, String value) {
        assertRefused(new RawTar().pax("LIBARCHIVE.xattr." + name, value).file("f", ""), "attribute");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0, 0",
        "1.5, 1, 500000000",
        "-0.5, -1, 500000000",
        "-1.25, -2, 750000000",
        ".25, 0, 250000000",
        "12.1234567899, 12, 123456789",
        "-3, -3, 0",
    })
    void timesHaveAnyNumberOfDecimals(String text, long seconds, long nanos) throws IOException {
        assertThat(only(new RawTar().pax("mtime", text, "atime", text).file("f", "")))
                .satisfies(entry -> {
                    assertThat(entry.modified()).isEqualTo(Instant.ofEpochSecond(seconds, nanos));
                    assertThat(entry.accessed()).contains(entry.modified());
                });
    }

    @Test
    void aTimeBeyondAllClocksIsTheLast() throws IOException {
        assertThat(only(new RawTar().pax("mtime", "9223372036854775807").file("f", ""))
                        .modified())
                .isEqualTo(Instant.MAX);
        assertThat(only(new RawTar().pax("mtime", "-9223372036854775807").file("f", ""))
                        .modified())
                .isEqualTo(Instant.MIN);
    }

    @ParameterizedTest
    @CsvSource({
        "mtime, 1x",
        "mtime, 1.x",
        "mtime, -",
        "mtime, --1",
        "mtime, 99999999999999999999",
        "size, -1",
        "size, 0x10",
        "size, 9223372036854775808",
        "uid, one",
        "gid, ' 1'",
        "SCHILY.devmajor, 1.0",
    })
    void paxNumbersThatAreNoneAreRefused(String key, String value) {
        assertRefused(new RawTar().pax(key, value).header(new Header('3', "f")), "PAX");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "x",
                "5 a=b",
                "6 a=b",
                "7 a=b\n",
                "5 ab\n\n",
                "6 =ab\n",
                "06 a=b",
                "-6 a=b\n",
                "99999999999999999999 a=b\n",
                "4294967302 a=b\n",
                " 6 a=b\n",
                "6 a=b\n6",
                "0 a=b\n",
                "1 a=b\n",
                "2 a=b\n",
                "8 a\0=b\n\n",
                "11 path=\0b\n",
            })
    void paxRecordsOfTheWrongFormAreRefused(String records) {
        assertRefused(
                new RawTar().member(new Header('x', "PaxHeaders"), records).file("f", ""), "a PAX record");
    }

    @Test
    void otherPaxRecordsAreHandedOn() throws IOException {
        assertThat(only(new RawTar()
                                .pax("comment", "hello", "VENDOR.key", "v=w\n")
                                .file("f", ""))
                        .records())
                .containsEntry("comment", "hello")
                .containsEntry("VENDOR.key", "v=w\n")
                .hasSize(2);
    }

    // Global headers

    @Test
    void globalHeadersHoldUntilTheyAreTakenBack() throws IOException {
        byte[] archive = new RawTar()
                .extended('g', "uid", "7", "uname", "global")
                .file("a", "")
                .pax("uid", "8")
                .file("b", "")
                .extended('g', "uid", "")
                .file("c", "")
                .end()
                .bytes();
        assertThat(RawTar.read(archive, TarLimits.DEFAULT, GlobalHeaders.APPLY))
                .extracting(member -> member.entry().uid())
                .containsExactly(7L, 8L, 0L);
        assertThat(RawTar.read(archive, TarLimits.DEFAULT, GlobalHeaders.IGNORE))
                .extracting(member -> member.entry().uid())
                .containsExactly(0L, 8L, 0L);
    }

    @Test
    void globalHeadersAreCheckedEvenIfTheyAreIgnored() {
        byte[] archive = new RawTar()
                .member(new Header('g', "g"), "junk")
                .file("f", "")
                .end()
                .bytes();
        assertThatThrownBy(() -> RawTar.read(archive)).isInstanceOf(TarFormatException.class);
    }

    /** The heap of a daemon is small, and whoever sends an archive may send records without an end. */
    @Test
    void globalRecordsDoNotPileUp() {
        RawTar archive = new RawTar();
        for (int i = 0; i < 10; i++) {
            archive.extended('g', "KEY." + i, "v".repeat(1000));
        }
        assertRefused(archive.file("f", ""), SMALL, "over the limit of 4096");
    }

    @Test
    void theRecordsOfOneEntryDoNotPileUp() {
        RawTar archive = new RawTar();
        for (int i = 0; i < 10; i++) {
            archive.pax("KEY." + i, "v".repeat(1000));
        }
        assertRefused(archive.file("f", ""), SMALL, "over the limit of 4096");
    }

    @Test
    void longNamesWithoutAnEndAreRefused() {
        RawTar archive = new RawTar();
        for (int i = 0; i < 10; i++) {
            archive.member(new Header('L', "././@LongLink"), "n".repeat(1000));
        }
        assertRefused(archive.file("f", ""), SMALL, "over the limit of 4096");
    }

    // Limits

    @ParameterizedTest
    @ValueSource(chars = {'x', 'g', 'L', 'K'})
    void anExtendedHeaderThatClaimsGigabytesIsRefusedBeforeItIsRead(char flag) {
        byte[] header =
                new RawTar().header(new Header(flag, "n").size(8_000_000_000L)).bytes();
        Unending input = new Unending(header);
        TarReader reader = new TarReader(input, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        assertThatThrownBy(reader::next)
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining("8000000000 bytes is over the limit of 1048576");
        assertThat(input.read).isLessThan(2048);
    }

    @Test
    void namesOverTheLimitAreRefused() {
        assertRefused(new RawTar().pax("path", "n".repeat(301)).file("f", ""), SMALL, "301 bytes is over");
        assertRefused(
                new RawTar().pax("linkpath", "n".repeat(301)).header(new Header('2', "l")), SMALL, "301 bytes is over");
        assertRefused(
                new RawTar().member(new Header('L', "n"), "n".repeat(301)).file("f", ""), SMALL, "301 bytes is over");
        assertRefused(
                new RawTar()
                        .pax("GNU.sparse.major", "1", "GNU.sparse.realsize", "0", "GNU.sparse.name", "n".repeat(301))
                        .file("f", "0\n" + "\0".repeat(510)),
                SMALL,
                "301 bytes is over");
    }

    @Test
    void moreEntriesThanTheLimitAreRefused() {
        RawTar archive = new RawTar();
        for (int i = 0; i < 21; i++) {
            archive.file("f" + i, "");
        }
        assertRefused(archive, SMALL, "more than 20 entries");
    }

    /** What a file claims costs nothing: it is read as far as somebody wants it. */
    @Test
    void aSizeThatLiesIsFoundAtTheEnd() {
        byte[] archive = new RawTar()
                .header(new Header('0', "big").size(8_000_000_000L))
                .data("only this".getBytes(StandardCharsets.UTF_8))
                .bytes();
        assertThatThrownBy(() -> RawTar.read(archive))
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining("at byte 0: ")
                .hasMessageContaining("ends at byte 1024 in the middle of a file");
    }

    @Test
    void aSizeThatLiesShortMakesTheRestNoArchive() {
        RawTar archive = new RawTar()
                .header(new Header('0', "short").size(1))
                .data("x".repeat(2000).getBytes(StandardCharsets.UTF_8));
        assertRefused(archive, "checksum");
    }

    @Test
    void negativeSizesAreRefused() {
        byte[] negative = new byte[12];
        Arrays.fill(negative, (byte) 0xff);
        assertRefused(new RawTar().header(new Header('0', "f").bytes(HeaderBlock.LENGTH, negative)), "negative");
    }

    // Headers

    @Test
    void aHeaderOfWhichOneBitIsWrongIsRefused() {
        byte[] archive = new RawTar().file("name", "").end().bytes();
        for (int bit = 0; bit < 8 * 512; bit++) {
            boolean checksum = bit / 8 >= HeaderBlock.CHECKSUM && bit / 8 < HeaderBlock.CHECKSUM + 8;
            byte[] damaged = archive.clone();
            damaged[bit / 8] ^= (byte) (1 << bit % 8);
            if (!checksum) {
                assertThatThrownBy(() -> RawTar.read(damaged))
                        .isInstanceOf(TarFormatException.class)
                        .hasMessage(
                                "tar archive at byte 0: the header's checksum is wrong: the archive is damaged, or no tar archive");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"12345\0 ", "zzzzzz\0 ", "", "-00001\0 "})
    void checksumsThatAreNoneAreRefused(String sum) {
        RawTar archive = new RawTar().header(new Header('0', "f").checksum(sum));
        assertThatThrownBy(() -> RawTar.read(archive.end().bytes())).isInstanceOf(TarFormatException.class);
    }

    @Test
    void sumsOfSignedBytesAreTakenToo() throws IOException {
        Header header = new Header('0', "\u00e4");
        int sum = 0;
        byte[] block = new RawTar().header(header).bytes();
        Arrays.fill(block, HeaderBlock.CHECKSUM, HeaderBlock.CHECKSUM + 8, (byte) ' ');
        for (byte b : block) {
            sum += b;
        }
        RawTar archive = new RawTar().header(new Header('0', "\u00e4").checksum("%06o\0 ".formatted(sum)));
        assertThat(only(archive).name()).isEqualTo("\u00e4");
    }

    @Test
    void numbersInBase256AreRead() throws IOException {
        TarEntry entry = only(new RawTar()
                .header(new Header('0', "f")
                        .bytes(HeaderBlock.UID, new byte[] {(byte) 0x80, 0, 0, 0, 0x7f, 1, 2, 3})
                        .bytes(HeaderBlock.MTIME, new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -2})));
        assertThat(entry.uid()).isEqualTo(0x7f010203L);
        assertThat(entry.modified()).isEqualTo(Instant.ofEpochSecond(-2));
    }

    @ParameterizedTest
    @ValueSource(chars = {'D', 'M', 'V', 'N', 'A', 'Z', '8', '\u0001', '\u00ff'})
    void entriesThatAreNoFilesAreRefused(char flag) {
        assertRefused(new RawTar().header(new Header(flag, "label")), "entry \"label\" is of type");
    }

    @Test
    void whatLinksAndFoldersClaimToStoreIsNotThere() throws IOException {
        byte[] archive = new RawTar()
                .header(new Header('1', "hard").size(4096).text(HeaderBlock.LINK_NAME, "f"))
                .header(new Header('2', "soft").size(4096).text(HeaderBlock.LINK_NAME, "f"))
                .header(new Header('5', "folder").size(4096))
                .file("last", "x")
                .end()
                .bytes();
        assertThat(RawTar.read(archive))
                .extracting(member -> member.entry().name())
                .containsExactly("hard", "soft", "folder", "last");
    }

    // Ends

    @Test
    void whatIsBehindTheEndIsForNobody() throws IOException {
        byte[] archive = new RawTar().file("f", "").end().file("hidden", "").bytes();
        assertThat(RawTar.read(archive)).hasSize(1);
    }

    @Test
    void nothingIsAnArchiveWithoutEntries() throws IOException {
        assertThat(RawTar.read(new byte[0])).isEmpty();
        assertThat(RawTar.read(new byte[512])).isEmpty();
    }

    @Test
    void anArchiveMayEndBehindTheLastByteOfItsLastFile() throws IOException {
        byte[] archive = new RawTar().file("f", "content").bytes();
        assertThat(RawTar.read(Arrays.copyOf(archive, 512 + 7)).getFirst().content())
                .isEqualTo("content");
    }

    @Test
    void anExtendedHeaderNeedsAnEntry() {
        assertRefused(new RawTar().pax("path", "x"), "ends behind an extended header");
        byte[] cut = new RawTar().member(new Header('L', "n"), "name").bytes();
        assertThatThrownBy(() -> RawTar.read(cut))
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining("ends behind an extended header");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PK\u0003\u0004", "\u007fELF", "<html>", "{\"schemaVersion\": 2}"})
    void whatIsNoArchiveIsRefused(String start) {
        byte[] file = Arrays.copyOf(start.getBytes(StandardCharsets.ISO_8859_1), 2000);
        assertThatThrownBy(() -> RawTar.read(file))
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining("no tar archive");
    }

    // Sparse files

    @Test
    void sparseMapsOfGnuTarGoOnInFurtherBlocks() throws IOException {
        Header header =
                sparseHeader().text(483, "%011o".formatted(10_000)).size(30).text(482, "\u0001");
        for (int i = 0; i < 4; i++) {
            header.text(386 + 24 * i, segment(i * 100L, 5));
        }
        byte[] more = new byte[512];
        for (int i = 0; i < 2; i++) {
            byte[] bytes = segment(1000 + i * 100L, 5).getBytes(StandardCharsets.ISO_8859_1);
            System.arraycopy(bytes, 0, more, 24 * i, 24);
        }
        Member member = RawTar.read(new RawTar()
                        .header(header)
                        .data(more)
                        .data("0123456789".repeat(3).getBytes(StandardCharsets.ISO_8859_1))
                        .end()
                        .bytes())
                .getFirst();
        assertThat(member.entry().size()).isEqualTo(10_000);
        assertThat(member.segments()).extracting(Segment::offset).containsExactly(0L, 100L, 200L, 300L, 1000L, 1100L);
        assertThat(member.content()).hasSize(30);
    }

    private static Header sparseHeader() {
        return new Header('S', "sparse").bytes(HeaderBlock.MAGIC, RawTar.GNU);
    }

    private static String segment(long offset, long length) {
        return "%011o\0%011o\0".formatted(offset, length);
    }

    @Test
    void aSparseMapWithoutAnEndIsRefused() {
        RawTar archive = new RawTar()
                .header(sparseHeader().text(483, "%011o".formatted(1 << 20)).text(482, "\u0001"));
        for (int i = 0; i < 10; i++) {
            byte[] block = new byte[512];
            for (int k = 0; k < 21; k++) {
                byte[] bytes = segment(i * 21L + k, 0).getBytes(StandardCharsets.ISO_8859_1);
                System.arraycopy(bytes, 0, block, 24 * k, 24);
            }
            block[504] = 1;
            archive.data(block);
        }
        assertRefused(archive, SMALL, "more than 10 segments");
    }

    /** Blocks that go on for ever without a segment in them. */
    @Test
    void emptyBlocksOfASparseMapDoNotGoOnForEver() {
        byte[] empty = new byte[512];
        empty[504] = 1;
        byte[] header = new RawTar()
                .header(sparseHeader().text(483, "%011o".formatted(1 << 20)).text(482, "\u0001"))
                .bytes();
        TarReader reader = new TarReader(
                new SequenceInputStream(new ByteArrayInputStream(header), new Repeating(empty)),
                SMALL,
                GlobalHeaders.IGNORE);
        assertThatThrownBy(reader::next).isInstanceOf(TarFormatException.class).hasMessageContaining("segments");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0,1,2        | do not come in pairs",
                "5,5,0,5      | overlap",
                "0,20         | outside",
                "0,6          | stores 10 bytes and its map has 6",
                "9223372036854775807,10 | outside",
                "0,9223372036854775807 | outside",
                "-1,10        | PAX number",
                ",            | PAX number",
                "0,10,        | pairs",
            })
    void sparseMapsThatLieAreRefused(String map, String why) {
        assertRefused(
                new RawTar().pax("GNU.sparse.size", "15", "GNU.sparse.map", map).file("f", "0123456789"), why);
    }

    @Test
    void sparseMapsOfVersionZeroAreRepeatedRecords() throws IOException {
        RawTar archive = new RawTar()
                .member(
                        new Header('x', "PaxHeaders"),
                        PaxRecords.format("GNU.sparse.size", "100")
                                + PaxRecords.format("GNU.sparse.numblocks", "2")
                                + PaxRecords.format("GNU.sparse.offset", "10")
                                + PaxRecords.format("GNU.sparse.numbytes", "4")
                                + PaxRecords.format("GNU.sparse.offset", "50")
                                + PaxRecords.format("GNU.sparse.numbytes", "6"))
                .file("f", "0123456789");
        Member member = RawTar.read(archive.end().bytes()).getFirst();
        assertThat(member.segments()).containsExactly(new Segment(10, 4), new Segment(50, 6));
        assertThat(member.entry().size()).isEqualTo(100);
    }

    @ParameterizedTest
    @CsvSource({"GNU.sparse.offset, GNU.sparse.offset", "GNU.sparse.numbytes, GNU.sparse.offset"})
    void sparseRecordsThatDoNotAlternateAreRefused(String first, String second) {
        RawTar archive = new RawTar()
                .member(
                        new Header('x', "PaxHeaders"),
                        PaxRecords.format("GNU.sparse.size", "100")
                                + PaxRecords.format(first, "1")
                                + PaxRecords.format(second, "1"))
                .file("f", "");
        assertRefused(archive, "alternate");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "99999\\n                          | 99999 segments, the limit is",
                "99999999999999999999999\\n        | too long",
                "x\\n                              | PAX number",
                "2\\n0\\n                          | ends at byte 1540 in the middle of a file",
                "1\\n0\\n999999999999\\n           | outside",
            })
    void sparseMapsInTheDataThatLieAreRefused(String map, String why) {
        byte[] archive = new RawTar()
                .pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "100")
                .header(new Header('0', "f").size(4096))
                .data(map.replace("\\n", "\n").getBytes(StandardCharsets.ISO_8859_1))
                .bytes();
        byte[] cut = why.startsWith("ends") ? Arrays.copyOf(archive, archive.length - 512 + 4) : archive;
        assertThatThrownBy(() -> RawTar.read(cut, SMALL, GlobalHeaders.IGNORE))
                .isInstanceOf(TarFormatException.class)
                .hasMessageContaining(why);
    }

    @Test
    void aSparseMapLongerThanItsFileIsRefused() {
        assertRefused(
                new RawTar()
                        .pax("GNU.sparse.major", "1", "GNU.sparse.realsize", "100")
                        .file("f", "5\n0\n"),
                "longer than its file");
    }

    /** Bytes, then zeros for ever. */
    private static final class Unending extends InputStream {

        private final byte[] start;
        private int read;

        Unending(byte[] start) {
            this.start = start;
        }

        @Override
        public int read() {
            int at = read++;
            return at < start.length ? start[at] & 0xff : 0;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            for (int i = 0; i < length; i++) {
                bytes[offset + i] = (byte) read();
            }
            return length;
        }
    }

    /** The same bytes for ever. */
    private static final class Repeating extends InputStream {

        private final byte[] block;
        private int at;

        Repeating(byte[] block) {
            this.block = block;
        }

        @Override
        public int read() {
            int b = block[at] & 0xff;
            at = (at + 1) % block.length;
            return b;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            for (int i = 0; i < length; i++) {
                bytes[offset + i] = (byte) read();
            }
            return length;
        }
    }
}
