package dev.longshore.sdk.tar;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes an archive in POSIX pax format, with extended headers only where ustar cannot say it: the same bytes for the same
 * entries. Closing writes the end of the archive, and leaves the stream below open. For one thread.
 */
public final class TarWriter implements AutoCloseable {

    private static final long MAX_SIZE_FIELD = 077777777777L;
    private static final long MAX_ID_FIELD = 07777777L;
    private static final int MAX_OWNER_NAME = 31;

    private final OutputStream out;
    private final byte[] zeros = new byte[HeaderBlock.SIZE];

    public TarWriter(OutputStream out) {
        this.out = out;
    }

    /** Begins an entry. The {@link TarEntry#size} bytes of a file must follow through {@link #content}, then {@link #endContent}. */
    public void write(TarEntry entry) throws IOException {
        Map<String, String> pax = records(entry);
        if (!pax.isEmpty()) {
            StringBuilder text = new StringBuilder();
            pax.forEach((key, value) -> text.append(PaxRecords.format(key, value)));
            byte[] records = ByteStrings.bytes(text.toString());
            header(
                    TarEntry.builder(EntryType.FILE, "PaxHeaders.0/" + lastPart(entry.name()))
                            .size(records.length)
                            .build(),
                    'x');
            out.write(records);
            pad(records.length);
        }
        header(entry, entry.type().flag());
    }

    /** Bytes of the file that was begun. */
    public void content(byte[] bytes, int offset, int length) throws IOException {
        out.write(bytes, offset, length);
    }

    /** @param size of the file that ends here */
    public void endContent(long size) throws IOException {
        pad(size);
    }

    private static Map<String, String> records(TarEntry entry) {
        Map<String, String> pax = new TreeMap<>(entry.records());
        if (!fits(entry.name(), 100)) {
            pax.put("path", entry.name());
        }
        if (!fits(entry.linkName(), 100)) {
            pax.put("linkpath", entry.linkName());
        }
        if (entry.size() > MAX_SIZE_FIELD) {
            pax.put("size", Long.toString(entry.size()));
        }
        number(pax, "uid", entry.uid());
        number(pax, "gid", entry.gid());
        number(pax, "SCHILY.devmajor", entry.deviceMajor());
        number(pax, "SCHILY.devminor", entry.deviceMinor());
        if (!fits(entry.userName(), MAX_OWNER_NAME)) {
            pax.put("uname", entry.userName());
        }
        if (!fits(entry.groupName(), MAX_OWNER_NAME)) {
            pax.put("gname", entry.groupName());
        }
        if (!entry.modified().truncatedTo(ChronoUnit.SECONDS).equals(entry.modified())
                || entry.modified().getEpochSecond() < 0
                || entry.modified().getEpochSecond() > MAX_SIZE_FIELD) {
            pax.put("mtime", PaxRecords.format(entry.modified()));
        }
        entry.accessed().ifPresent(time -> pax.put("atime", PaxRecords.format(time)));
        entry.xattrs().forEach((name, value) -> pax.put("SCHILY.xattr." + name, value));
        return pax;
    }

    private static void number(Map<String, String> pax, String key, long value) {
        if (value < 0) {
            throw new IllegalArgumentException("an archive cannot say that %s is %d".formatted(key, value));
        }
        if (value > MAX_ID_FIELD) {
            pax.put(key, Long.toString(value));
        }
    }

    /** Whether a field of ustar takes the text as it is. */
    private static boolean fits(String text, int length) {
        return text.length() <= length && ByteStrings.isAscii(text);
    }

    private static String lastPart(String name) {
        String part = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
        part = part.substring(part.lastIndexOf('/') + 1);
        StringBuilder ascii = new StringBuilder();
        for (int i = 0; i < Math.min(part.length(), 80); i++) {
            ascii.append(part.charAt(i) < 0x80 ? part.charAt(i) : '_');
        }
        return ascii.toString();
    }

    private void header(TarEntry entry, char flag) throws IOException {
        byte[] block = new byte[HeaderBlock.SIZE];
        text(block, HeaderBlock.NAME, 100, entry.name());
        octal(block, HeaderBlock.MODE, 8, entry.mode());
        octal(block, HeaderBlock.UID, 8, Math.min(entry.uid(), MAX_ID_FIELD));
        octal(block, HeaderBlock.GID, 8, Math.min(entry.gid(), MAX_ID_FIELD));
        octal(block, HeaderBlock.LENGTH, 12, Math.min(entry.size(), MAX_SIZE_FIELD));
        octal(block, HeaderBlock.MTIME, 12, Math.clamp(entry.modified().getEpochSecond(), 0, MAX_SIZE_FIELD));
        block[HeaderBlock.TYPE] = (byte) flag;
        text(block, HeaderBlock.LINK_NAME, 100, entry.linkName());
        text(block, HeaderBlock.MAGIC, 8, "ustar\00000");
        text(block, HeaderBlock.USER_NAME, 32, entry.userName());
        text(block, HeaderBlock.GROUP_NAME, 32, entry.groupName());
        octal(block, HeaderBlock.MAJOR, 8, Math.min(entry.deviceMajor(), MAX_ID_FIELD));
        octal(block, HeaderBlock.MINOR, 8, Math.min(entry.deviceMinor(), MAX_ID_FIELD));
        checksum(block);
        out.write(block);
    }

    private static void checksum(byte[] block) {
        text(block, HeaderBlock.CHECKSUM, 8, "        ");
        int sum = 0;
        for (byte b : block) {
            sum += b & 0xff;
        }
        text(block, HeaderBlock.CHECKSUM, 8, "%06o\0 ".formatted(sum));
    }

    /** What does not fit is cut: an extended header says it whole then. */
    private static void text(byte[] block, int offset, int length, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(bytes, 0, block, offset, Math.min(length, bytes.length));
    }

    private static void octal(byte[] block, int offset, int length, long number) {
        text(block, offset, length - 1, ("%0" + (length - 1) + "o").formatted(number));
    }

    private void pad(long size) throws IOException {
        out.write(zeros, 0, (int) (-size & (HeaderBlock.SIZE - 1)));
    }

    /** Two empty blocks. */
    @Override
    public void close() throws IOException {
        out.write(zeros);
        out.write(zeros);
        out.flush();
    }
}
