package dev.longshore.sdk.tar;

import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads an archive from front to back: v7, ustar, GNU and PAX, with sparse files of all four kinds. Nothing in the input is
 * trusted: sizes are checked before memory is taken, and a cut-off archive is an error. For one thread.
 *
 * @see <a href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html">POSIX pax</a>
 */
public final class TarReader {

    private static final String XATTR = "SCHILY.xattr.";
    private static final String XATTR_LIBARCHIVE = "LIBARCHIVE.xattr.";
    private static final String SPARSE = "GNU.sparse.";
    private static final Set<String> KNOWN = Set.of(
            "path",
            "linkpath",
            "size",
            "uid",
            "gid",
            "uname",
            "gname",
            "mtime",
            "atime",
            "SCHILY.devmajor",
            "SCHILY.devminor");
    private static final int OLD_SPARSE = 386;
    private static final int OLD_SPARSE_EXTENDED = 482;
    private static final int OLD_SPARSE_REAL_SIZE = 483;

    private final InputStream in;
    private final TarLimits limits;
    private final GlobalHeaders globalHeaders;
    private final Map<String, String> global = new HashMap<>();
    private final HeaderBlock header = new HeaderBlock();
    private final byte[] scratch = new byte[64 << 10];

    private long position;
    private long entries;
    /** Stored bytes of the current entry that have not been read. */
    private long left;
    /** Bytes behind the stored ones, up to the next block. */
    private int padding;

    /** Bytes of the extended headers since the last entry. */
    private long extended;

    private List<Segment> segments = List.of();

    public TarReader(InputStream in, TarLimits limits, GlobalHeaders globalHeaders) {
        this.in = in;
        this.limits = limits;
        this.globalHeaders = globalHeaders;
    }

    /**
     * The next entry; empty at the end of the archive. What was not read of the last one is skipped.
     *
     * @throws TarFormatException if there is none that can be read
     */
    public Optional<TarEntry> next() throws IOException {
        Map<String, String> pax = new HashMap<>();
        String longName = "";
        String longLink = "";
        boolean announced = false;
        extended = 0;
        while (true) {
            skipRest();
            if (!readHeader()) {
                if (announced) {
                    throw error("the archive ends behind an extended header, where its entry should be");
                }
                return Optional.empty();
            }
            char type = (char) (header.bytes[HeaderBlock.TYPE] & 0xff);
            long size = header.number(HeaderBlock.LENGTH, 12);
            if (size < 0) {
                throw error("the size of an entry is negative");
            }
            switch (type) {
                case 'x', 'X' -> PaxRecords.parse(extension(size), header.offset, pax);
                case 'g' -> {
                    Map<String, String> records = new HashMap<>();
                    PaxRecords.parse(extension(size), header.offset, records);
                    if (globalHeaders == GlobalHeaders.APPLY) {
                        applyGlobally(records);
                    }
                }
                case 'L' -> longName = terminated(extension(size));
                case 'K' -> longLink = terminated(extension(size));
                default -> {
                    return Optional.of(entry(type, size, longName, longLink, pax));
                }
            }
            announced |= type != 'g';
        }
    }

    private void applyGlobally(Map<String, String> records) throws TarFormatException {
        global.putAll(records);
        long bytes = 0;
        for (Map.Entry<String, String> entry : global.entrySet()) {
            bytes += entry.getKey().length() + entry.getValue().length();
        }
        if (bytes > limits.extensionBytes()) {
            throw error(
                    "global headers of %d bytes are over the limit of %d".formatted(bytes, limits.extensionBytes()));
        }
    }

    /** The runs of bytes that {@link #read} gives of the current file, in its order; one over all of it if it has no holes. */
    public List<Segment> segments() {
        return segments;
    }

    /** Reads stored bytes of the current file; -1 behind the last one. */
    public int read(byte[] buffer, int offset, int length) throws IOException {
        if (left == 0) {
            return -1;
        }
        int count = in.read(buffer, offset, (int) Math.min(length, left));
        if (count < 0) {
            throw error("the archive ends at byte %d in the middle of a file".formatted(position));
        }
        left -= count;
        position += count;
        return count;
    }

    private boolean readHeader() throws IOException {
        header.offset = position;
        int count = in.readNBytes(header.bytes, 0, HeaderBlock.SIZE);
        position += count;
        if (count == 0) {
            return false;
        }
        if (count < HeaderBlock.SIZE) {
            throw error("the archive ends in the middle of a header");
        }
        if (header.isZero()) {
            return false; // the second zero block, and whatever is behind it, is for nobody
        }
        header.verify();
        if (++entries > limits.entries()) {
            throw error("the archive has more than %d entries".formatted(limits.entries()));
        }
        return true;
    }

    private byte[] extension(long size) throws IOException {
        if (size > limits.extensionBytes() - extended) {
            throw error("an extended header of %d bytes is over the limit of %d bytes for one entry"
                    .formatted(size, limits.extensionBytes()));
        }
        extended += size;
        store(size);
        byte[] bytes = new byte[(int) size];
        for (int at = 0; at < bytes.length; ) {
            at += read(bytes, at, bytes.length - at);
        }
        return bytes;
    }

    private static String terminated(byte[] bytes) {
        String text = ByteStrings.of(bytes);
        int end = text.indexOf(0);
        return end < 0 ? text : text.substring(0, end);
    }

    private void store(long size) {
        left = size;
        padding = (int) (-size & (HeaderBlock.SIZE - 1));
    }

    private void skipRest() throws IOException {
        segments = List.of();
        while (left > 0) {
            int count = read(scratch, 0, scratch.length);
            assert count > 0;
        }
        if (padding > 0) {
            int count = in.readNBytes(scratch, 0, padding);
            position += count;
            // Some writers leave the padding of the last file out.
            padding = 0;
        }
    }

    private TarEntry entry(char flag, long stored, String longName, String longLink, Map<String, String> own)
            throws IOException {
        HeaderBlock.Format format = header.format();
        Map<String, String> pax = new HashMap<>(global);
        pax.putAll(own);
        // An empty value takes back what a global header said; an extended attribute may be empty.
        pax.entrySet()
                .removeIf(record ->
                        record.getValue().isEmpty() && !record.getKey().startsWith(XATTR));
        // GNU's names before PAX', as Go's reader has it, which containerd reads layers with.
        String name = longName.isEmpty() ? pax.getOrDefault("path", headerName(format)) : longName;
        String link =
                longLink.isEmpty() ? pax.getOrDefault("linkpath", header.text(HeaderBlock.LINK_NAME, 100)) : longLink;
        EntryType type = type(flag, format, name);
        boolean file = type == EntryType.FILE;
        long size = pax.containsKey("size") ? PaxRecords.number(pax.getOrDefault("size", ""), header.offset) : stored;
        // Only files have bytes behind them; old writers put sizes of links' targets into their headers.
        store(file ? size : 0);
        if (file) {
            size = sparse(flag, format, size, pax);
            name = pax.getOrDefault("GNU.sparse.name", name);
        } else {
            size = 0;
        }
        checkName(name);
        checkName(link);
        return build(type, name, link, size, format, pax);
    }

    private String headerName(HeaderBlock.Format format) {
        String name = header.text(HeaderBlock.NAME, 100);
        if (format != HeaderBlock.Format.USTAR && format != HeaderBlock.Format.STAR) {
            return name;
        }
        String prefix = header.text(HeaderBlock.PREFIX, format == HeaderBlock.Format.STAR ? 131 : 155);
        return prefix.isEmpty() ? name : prefix + "/" + name;
    }

    private EntryType type(char flag, HeaderBlock.Format format, String name) throws TarFormatException {
        return switch (flag) {
            case 0 -> name.endsWith("/") ? EntryType.DIRECTORY : EntryType.FILE;
            case '0', '7', 'S' -> EntryType.FILE;
            case '1' -> EntryType.HARD_LINK;
            case '2' -> EntryType.SYMLINK;
            case '3' -> EntryType.CHARACTER_DEVICE;
            case '4' -> EntryType.BLOCK_DEVICE;
            case '5' -> EntryType.DIRECTORY;
            case '6' -> EntryType.FIFO;
            default ->
                throw error("entry \"%s\" is of type '%c', which no %s archive of files has"
                        .formatted(ByteStrings.text(name), flag, format));
        };
    }

    private TarEntry build(
            EntryType type, String name, String link, long size, HeaderBlock.Format format, Map<String, String> pax)
            throws TarFormatException {
        TarEntry.Builder entry = TarEntry.builder(type, name)
                .linkName(type == EntryType.SYMLINK || type == EntryType.HARD_LINK ? link : "")
                .size(size)
                .mode((int) (header.number(HeaderBlock.MODE, 8) & 07777))
                .owner(number(pax, "uid", HeaderBlock.UID), number(pax, "gid", HeaderBlock.GID));
        if (format != HeaderBlock.Format.V7) {
            entry.ownerNames(
                    pax.getOrDefault("uname", header.text(HeaderBlock.USER_NAME, 32)),
                    pax.getOrDefault("gname", header.text(HeaderBlock.GROUP_NAME, 32)));
        }
        entry.modified(
                pax.containsKey("mtime")
                        ? PaxRecords.time(pax.getOrDefault("mtime", ""), header.offset)
                        : PaxRecords.instant(header.number(HeaderBlock.MTIME, 12), 0));
        if (pax.containsKey("atime")) {
            entry.accessed(PaxRecords.time(pax.getOrDefault("atime", ""), header.offset));
        }
        if (type == EntryType.CHARACTER_DEVICE || type == EntryType.BLOCK_DEVICE) {
            entry.device(
                    pax.containsKey("SCHILY.devmajor")
                            ? number(pax, "SCHILY.devmajor", HeaderBlock.MAJOR)
                            : header.number(HeaderBlock.MAJOR, 8),
                    pax.containsKey("SCHILY.devminor")
                            ? number(pax, "SCHILY.devminor", HeaderBlock.MINOR)
                            : header.number(HeaderBlock.MINOR, 8));
        }
        for (Map.Entry<String, String> record : pax.entrySet()) {
            String key = record.getKey();
            if (key.startsWith(XATTR)) {
                entry.xattr(key.substring(XATTR.length()), record.getValue());
            } else if (key.startsWith(XATTR_LIBARCHIVE)) {
                entry.xattr(urlDecoded(key.substring(XATTR_LIBARCHIVE.length())), base64(record.getValue()));
            } else if (!KNOWN.contains(key) && !key.startsWith(SPARSE)) {
                entry.record(key, record.getValue());
            }
        }
        return entry.build();
    }

    private String urlDecoded(String name) throws TarFormatException {
        try {
            // libarchive escapes with % only; a plus is a plus.
            String decoded = URLDecoder.decode(name.replace("+", "%2B"), StandardCharsets.ISO_8859_1);
            if (decoded.indexOf(0) < 0) {
                return decoded;
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw error("the name of an extended attribute is not URL-encoded, or has a NUL byte");
    }

    private String base64(String value) throws TarFormatException {
        try {
            return ByteStrings.of(Base64.getMimeDecoder().decode(value));
        } catch (IllegalArgumentException e) {
            throw error("an extended attribute is not base64");
        }
    }

    private long number(Map<String, String> pax, String key, int field) throws TarFormatException {
        String value = pax.get(key);
        return value == null ? header.number(field, 8) : PaxRecords.number(value, header.offset);
    }

    /** Sets the segments, and gives the size of the file with its holes. */
    private long sparse(char flag, HeaderBlock.Format format, long stored, Map<String, String> pax) throws IOException {
        List<Segment> map = new ArrayList<>();
        long size;
        if (flag == 'S' && format == HeaderBlock.Format.GNU) {
            size = header.number(OLD_SPARSE_REAL_SIZE, 12);
            oldSparseMap(map);
        } else if ("1".equals(pax.get("GNU.sparse.major"))) {
            size = PaxRecords.number(pax.getOrDefault("GNU.sparse.realsize", ""), header.offset);
            sparseMapInData(map);
        } else if (pax.containsKey(PaxRecords.SPARSE_MAP)) {
            size = PaxRecords.number(
                    pax.getOrDefault("GNU.sparse.size", pax.getOrDefault("GNU.sparse.realsize", "")), header.offset);
            String text = pax.getOrDefault(PaxRecords.SPARSE_MAP, "");
            String[] numbers = text.split(",", -1);
            if (numbers.length % 2 != 0) {
                throw error("the offsets and lengths of a sparse map do not come in pairs");
            }
            for (int i = 0; i < numbers.length; i += 2) {
                add(
                        map,
                        PaxRecords.number(numbers[i], header.offset),
                        PaxRecords.number(numbers[i + 1], header.offset));
            }
        } else {
            segments = List.of(new Segment(0, stored));
            return stored;
        }
        checkMap(map, size);
        segments = List.copyOf(map);
        return size;
    }

    private void oldSparseMap(List<Segment> map) throws IOException {
        for (int i = 0; i < 4; i++) {
            oldSegment(map, header.bytes, OLD_SPARSE + 24 * i);
        }
        boolean more = header.bytes[OLD_SPARSE_EXTENDED] != 0;
        byte[] block = new byte[HeaderBlock.SIZE];
        for (int blocks = 0; more; blocks++) {
            if (blocks > limits.segments()) {
                throw error("a sparse file has more than %d segments".formatted(limits.segments()));
            }
            int count = in.readNBytes(block, 0, block.length);
            position += count;
            if (count < block.length) {
                throw error("the archive ends in a sparse map");
            }
            for (int i = 0; i < 21; i++) {
                oldSegment(map, block, 24 * i);
            }
            more = block[504] != 0;
        }
    }

    private void oldSegment(List<Segment> map, byte[] block, int at) throws TarFormatException {
        if (block[at] == 0) {
            return;
        }
        HeaderBlock numbers = new HeaderBlock();
        System.arraycopy(block, at, numbers.bytes, 0, 24);
        numbers.offset = header.offset;
        add(map, numbers.number(0, 12), numbers.number(12, 12));
    }

    /** GNU sparse 1.0: decimal lines in the first blocks of the data, the number of segments first. */
    private void sparseMapInData(List<Segment> map) throws IOException {
        long begin = left;
        long count = line();
        if (count > limits.segments()) {
            throw error("a sparse file has %d segments, the limit is %d".formatted(count, limits.segments()));
        }
        for (long i = 0; i < count; i++) {
            add(map, line(), line());
        }
        int rest = (int) (-(begin - left) & (HeaderBlock.SIZE - 1));
        for (int i = 0; i < rest; i++) {
            oneByte();
        }
    }

    private long line() throws IOException {
        StringBuilder digits = new StringBuilder();
        for (int b = oneByte(); b != '\n'; b = oneByte()) {
            digits.append((char) b);
            if (digits.length() > 19) {
                throw error("a number of a sparse map is too long");
            }
        }
        return PaxRecords.number(digits.toString(), header.offset);
    }

    private int oneByte() throws IOException {
        byte[] one = new byte[1];
        if (read(one, 0, 1) != 1) {
            throw error("a sparse map is longer than its file");
        }
        return one[0] & 0xff;
    }

    private void add(List<Segment> map, long offset, long length) throws TarFormatException {
        if (map.size() >= limits.segments()) {
            throw error("a sparse file has more than %d segments".formatted(limits.segments()));
        }
        map.add(new Segment(offset, length));
    }

    private void checkMap(List<Segment> map, long size) throws TarFormatException {
        long end = 0;
        long stored = 0;
        for (Segment segment : map) {
            if (segment.offset() < end || segment.length() < 0 || segment.offset() > size - segment.length()) {
                throw error("the segments of a sparse file overlap, are out of order, or lie outside of it");
            }
            end = segment.offset() + segment.length();
            stored += segment.length();
        }
        if (size < 0 || stored != left) {
            throw error("a sparse file stores %d bytes and its map has %d".formatted(left, stored));
        }
    }

    private void checkName(String name) throws TarFormatException {
        if (name.length() > limits.nameBytes()) {
            throw error("a name of %d bytes is over the limit of %d".formatted(name.length(), limits.nameBytes()));
        }
    }

    private TarFormatException error(String message) {
        return new TarFormatException(header.offset, message);
    }

    /** Bytes of the archive that were read so far. */
    public long position() {
        return position;
    }
}
