package dev.longshore.sdk.tar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.longshore.sdk.tar.RawTar.Member;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

final class TarProperties {

    private static final long GIB = 1L << 30;

    /** Names as byte strings: any byte but NUL. */
    private static Arbitrary<String> bytes(int least, int most) {
        return Arbitraries.oneOf(
                        Arbitraries.strings().withCharRange('a', 'z').withChars('/', '.', '=', '\n', ' '),
                        Arbitraries.strings().withCharRange('\u0001', '\u00ff'),
                        Arbitraries.strings().withChars("äß漢字🙂é").map(ByteStrings::of))
                .filter(text -> text.length() >= least && text.length() <= most);
    }

    private static Arbitrary<String> names() {
        return Arbitraries.oneOf(
                // A file that ends with a slash is a directory to old readers, and to ours with the oldest flag only.
                bytes(1, 60),
                Combinators.combine(bytes(1, 60), Arbitraries.integers().between(90, 3000))
                        .as((start, length) -> start + "n".repeat(length)));
    }

    private static Arbitrary<Instant> times() {
        return Arbitraries.oneOf(
                Combinators.combine(
                                Arbitraries.longs().between(-100_000_000_000L, 100_000_000_000L),
                                Arbitraries.integers().between(0, 999_999_999))
                        .as(Instant::ofEpochSecond),
                Arbitraries.of(
                        Instant.EPOCH,
                        Instant.ofEpochSecond(-1),
                        Instant.ofEpochSecond(-1, 1),
                        Instant.ofEpochSecond(0, 999_999_999),
                        Instant.ofEpochSecond(077777777777L),
                        Instant.ofEpochSecond(077777777777L + 1)));
    }

    private static Arbitrary<Long> ids() {
        return Arbitraries.oneOf(
                Arbitraries.longs().between(0, 0xffff_ffffL),
                Arbitraries.of(0L, 07777777L, 07777777L + 1, 0xffff_fffeL));
    }

    private static Arbitrary<Map<String, String>> xattrs() {
        Arbitrary<String> keys = Arbitraries.strings()
                .withCharRange('a', 'z')
                .ofMinLength(1)
                .ofMaxLength(20)
                .map(name -> "user." + name);
        Arbitrary<String> values =
                Arbitraries.strings().withCharRange('\0', '\u00ff').ofMaxLength(200);
        return Arbitraries.maps(keys, values).ofMaxSize(3);
    }

    @Provide
    Arbitrary<TarEntry> entries() {
        Arbitrary<Long> devices = Arbitraries.longs().between(0, 0xffff_ffffL);
        Arbitrary<TarEntry.Builder> kinds = Combinators.combine(
                        Arbitraries.of(EntryType.values()), names(), bytes(1, 300), devices, devices)
                .as((type, name, link, major, minor) -> {
                    TarEntry.Builder entry = TarEntry.builder(type, name);
                    switch (type) {
                        case SYMLINK, HARD_LINK -> entry.linkName(link);
                        case CHARACTER_DEVICE, BLOCK_DEVICE -> entry.device(major, minor);
                        case FILE, DIRECTORY, FIFO -> {}
                    }
                    return entry;
                });
        return Combinators.combine(
                        kinds,
                        Arbitraries.integers().between(0, 07777),
                        ids(),
                        ids(),
                        times(),
                        times().optional(),
                        xattrs(),
                        bytes(0, 60))
                .as((entry, mode, uid, gid, modified, accessed, xattrs, owner) -> {
                    entry.mode(mode).owner(uid, gid).modified(modified).ownerNames(owner, owner);
                    accessed.ifPresent(entry::accessed);
                    xattrs.forEach(entry::xattr);
                    return entry.build();
                });
    }

    @Provide
    Arbitrary<List<Member>> archives() {
        Arbitrary<String> contents =
                Arbitraries.strings().withCharRange('\0', '\u00ff').ofMaxLength(1500);
        return Combinators.combine(entries(), contents)
                .as((entry, content) -> entry.type() == EntryType.FILE
                        ? new Member(sized(entry, content.length()), List.of(new Segment(0, content.length())), content)
                        : new Member(entry, List.of(), ""))
                .list()
                .ofMaxSize(5);
    }

    private static TarEntry sized(TarEntry entry, long size) {
        TarEntry.Builder copy = TarEntry.builder(entry.type(), entry.name())
                .size(size)
                .mode(entry.mode())
                .owner(entry.uid(), entry.gid())
                .ownerNames(entry.userName(), entry.groupName())
                .modified(entry.modified());
        entry.accessed().ifPresent(copy::accessed);
        entry.xattrs().forEach(copy::xattr);
        return copy.build();
    }

    private static byte[] write(List<Member> members) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter writer = new TarWriter(bytes)) {
            for (Member member : members) {
                writer.write(member.entry());
                if (member.entry().type() == EntryType.FILE) {
                    byte[] content = ByteStrings.bytes(member.content());
                    writer.content(content, 0, content.length);
                    writer.endContent(content.length);
                }
            }
        }
        return bytes.toByteArray();
    }

    @Property(tries = 500)
    void whatIsWrittenIsRead(@ForAll("archives") List<Member> members) throws IOException {
        byte[] archive = write(members);
        assertThat(archive.length % 512).isZero();
        assertThat(RawTar.read(archive)).isEqualTo(members);
        assertThat(write(members)).as("the same bytes for the same entries").isEqualTo(archive);
    }

    @Property(tries = 200)
    void aSizeOfAnyWidthIsRead(@ForAll("entries") TarEntry entry, @ForAll("sizes") long size) throws IOException {
        TarEntry file = sized(TarEntry.builder(EntryType.FILE, entry.name()).build(), size);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter writer = new TarWriter(bytes)) {
            writer.write(file);
        }
        TarReader reader =
                new TarReader(new ByteArrayInputStream(bytes.toByteArray()), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        assertThat(reader.next()).contains(file);
    }

    @Provide
    Arbitrary<Long> sizes() {
        return Arbitraries.oneOf(
                Arbitraries.longs().between(0, Long.MAX_VALUE),
                Arbitraries.longs().between(8 * GIB - 2, 8 * GIB + 2));
    }

    /** An archive may end behind any member; anywhere else it is cut off. */
    @Property(tries = 200)
    void ofACutArchiveTheWholeMembersAreRead(@ForAll("archives") List<Member> members, @ForAll double at)
            throws IOException {
        byte[] archive = write(members);
        double fraction = Double.isFinite(at) ? Math.abs(at % 1) : 0;
        int length = (int) (archive.length * fraction);
        List<Member> read = new ArrayList<>();
        TarReader reader = new TarReader(
                new ByteArrayInputStream(Arrays.copyOf(archive, length)), TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        Throwable error = catchThrowable(() -> RawTar.read(reader, read));

        assertThat(read).isEqualTo(members.subList(0, read.size()));
        if (error == null) {
            // Some writers leave out the padding of the last file, and the blocks that end the archive.
            byte[] whole = write(read);
            int end = whole.length - 1024;
            int padding = read.isEmpty() ? 0 : -read.getLast().content().length() & 511;
            assertThat(length).isGreaterThanOrEqualTo(end - padding);
            assertThat(length <= end || read.equals(members))
                    .as("%d bytes of an archive whose members end at %d", length, end)
                    .isTrue();
        } else {
            assertThat(error).isInstanceOf(TarFormatException.class).hasMessageContaining("ends");
        }
    }

    @Property(tries = 500)
    void anyNumbersOfAHeaderAreReadOrRefused(@ForAll("fields") byte[] number, @ForAll("offsets") int offset)
            throws IOException {
        byte[] archive = new RawTar()
                .header(new RawTar.Header('3', "n").bytes(offset, number))
                .end()
                .bytes();
        Throwable error = catchThrowable(() -> RawTar.read(archive));
        assertThat(Optional.ofNullable(error)
                        .map(Object::getClass)
                        .<Object>map(type -> type)
                        .orElse(TarFormatException.class))
                .isEqualTo(TarFormatException.class);
    }

    @Provide
    Arbitrary<byte[]> fields() {
        return Arbitraries.bytes().array(byte[].class).ofSize(8);
    }

    @Provide
    Arbitrary<Integer> offsets() {
        return Arbitraries.of(
                HeaderBlock.MODE,
                HeaderBlock.UID,
                HeaderBlock.GID,
                HeaderBlock.LENGTH,
                HeaderBlock.MTIME,
                HeaderBlock.MAJOR,
                HeaderBlock.MINOR);
    }
}
