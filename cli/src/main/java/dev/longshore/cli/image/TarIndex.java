package dev.longshore.cli.image;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Where the files of an image's archive are: a tar whose headers have been read and whose contents have not. The archive
 * is from strangers: nothing is allocated by what it claims before that is checked against the limits here (CVE-2023-25153),
 * and names only serve as keys. Safe for use by many threads.
 *
 * @see <a href="https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html">pax</a>
 */
final class TarIndex implements AutoCloseable {

    private static final int BLOCK = 512;

    /** Files and links in an archive. An image has a few for each layer. */
    static final int MAX_ENTRIES = 100_000;

    /** Bytes of an extended header. */
    static final int MAX_EXTENDED = 1 << 20;

    /** Bytes of a document, as opposed to a layer. */
    static final int MAX_DOCUMENT = 8 << 20;

    /** Links from a name to a file. */
    private static final int MAX_LINKS = 8;

    private final FileChannel channel;
    private final Map<String, Content> files = new HashMap<>();
    private final Map<String, String> links = new HashMap<>();

    /** A file's place in the archive; offset and size in bytes. */
    record Content(long offset, long size) {}

    private TarIndex(FileChannel channel) {
        this.channel = channel;
    }

    /** @throws InvalidArgumentException if it is not a whole tar archive, or exceeds a limit */
    static TarIndex open(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file);
        TarIndex index = new TarIndex(channel);
        try {
            index.read(file.toString());
            return index;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void read(String archive) throws IOException {
        long end = channel.size();
        long at = 0;
        String longName = "";
        String longLink = "";
        Map<String, String> pax = Map.of();
        ByteBuffer header = ByteBuffer.allocate(BLOCK);
        while (at + BLOCK <= end) {
            readFully(header, at, archive);
            if (isZero(header.array())) {
                return;
            }
            checkSum(header.array(), archive, at);
            long size =
                    pax.containsKey("size") ? decimal(pax.get("size"), archive) : number(header.array(), 124, archive);
            at += BLOCK;
            if (size > end - at) {
                throw new InvalidArgumentException(
                        "%s is cut off: unexpected EOF at %d, in a file of %d bytes".formatted(archive, end, size));
            }
            char type = (char) (header.array()[156] & 0xff);
            if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
                byte[] extended = document(new Content(at, size), MAX_EXTENDED, "an extended header of " + archive);
                switch (type) {
                    case 'x' -> pax = paxRecords(extended, archive);
                    case 'L' -> longName = text(extended, 0, extended.length);
                    case 'K' -> longLink = text(extended, 0, extended.length);
                    default -> {} // global records are comments here
                }
            } else {
                String name = pax.getOrDefault("path", longName.isEmpty() ? headerName(header.array()) : longName);
                String link =
                        pax.getOrDefault("linkpath", longLink.isEmpty() ? text(header.array(), 157, 100) : longLink);
                add(type, normalized(name), link, new Content(at, size), archive);
                longName = "";
                longLink = "";
                pax = Map.of();
            }
            at += (size + BLOCK - 1) / BLOCK * BLOCK;
        }
        if (files.isEmpty()) {
            throw new InvalidArgumentException(archive + " is not a tar archive");
        }
        if (at > end) {
            throw new InvalidArgumentException("%s is cut off: unexpected EOF at %d".formatted(archive, end));
        }
    }

    private void add(char type, String name, String link, Content content, String archive) {
        if (files.size() + links.size() >= MAX_ENTRIES) {
            throw new InvalidArgumentException(
                    "%s has more than %d files: not an image".formatted(archive, MAX_ENTRIES));
        }
        switch (type) {
            case '0', '\0', '7' -> {
                // A second file of a name could show one reader what another does not see.
                if (files.putIfAbsent(name, content) != null) {
                    throw new InvalidArgumentException("%s has %s twice".formatted(archive, name));
                }
            }
            case '1' -> links.put(name, normalized(link));
            case '2' -> links.put(name, normalized(resolve(name, link)));
            default -> {} // folders are of no interest, anything else has no business in an image's archive
        }
    }

    private static String resolve(String name, String link) {
        int slash = name.lastIndexOf('/');
        return link.startsWith("/") ? link : (slash < 0 ? "" : name.substring(0, slash + 1)) + link;
    }

    /** Without {@code .}, {@code ..} and superfluous slashes. A name is a key and never becomes a path. */
    private static String normalized(String name) {
        StringBuilder path = new StringBuilder();
        for (String part : name.split("/", -1)) {
            if (part.equals("..")) {
                path.setLength(Math.max(0, path.lastIndexOf("/")));
            } else if (!part.isEmpty() && !part.equals(".")) {
                path.append(path.isEmpty() ? "" : "/").append(part);
            }
        }
        return path.toString();
    }

    boolean has(String name) {
        return files.containsKey(target(name));
    }

    /** @throws NotFoundException if there is no such file */
    Content find(String name) {
        Content content = files.get(target(name));
        if (content == null) {
            throw new NotFoundException("the archive has no " + name);
        }
        return content;
    }

    private String target(String name) {
        String target = normalized(name);
        for (int i = 0; i < MAX_LINKS && links.containsKey(target); i++) {
            target = links.get(target);
        }
        return target;
    }

    /**
     * A small file.
     *
     * @throws NotFoundException if there is no such file
     * @throws InvalidArgumentException if it is larger than {@link #MAX_DOCUMENT}
     */
    byte[] document(String name) throws IOException {
        return document(find(name), MAX_DOCUMENT, name);
    }

    private byte[] document(Content content, int limit, String name) throws IOException {
        if (content.size() > limit) {
            throw new InvalidArgumentException(
                    "%s has %d bytes, the limit is %d".formatted(name, content.size(), limit));
        }
        ByteBuffer bytes = ByteBuffer.allocate((int) content.size());
        readFully(bytes, content.offset(), name);
        return bytes.array();
    }

    /** The bytes of a file from {@code skip} on; closing the stream does not close the archive. */
    InputStream stream(Content content, long skip) {
        return new ContentStream(content.offset() + skip, content.size() - skip);
    }

    private void readFully(ByteBuffer buffer, long at, String name) throws IOException {
        buffer.clear();
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, at + buffer.position()) < 0) {
                throw new InvalidArgumentException(name + " is cut off: unexpected EOF");
            }
        }
    }

    private static boolean isZero(byte[] header) {
        for (byte b : header) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    private static void checkSum(byte[] header, String archive, long at) {
        int sum = 0;
        for (int i = 0; i < BLOCK; i++) {
            sum += i >= 148 && i < 156 ? ' ' : header[i] & 0xff;
        }
        if (sum != number(header, 148, 8, archive)) {
            throw new InvalidArgumentException(
                    "%s is not a tar archive, or damaged at byte %d: wrong checksum of a header"
                            .formatted(archive, at));
        }
    }

    private static long number(byte[] header, int offset, String archive) {
        return number(header, offset, 12, archive);
    }

    /** Octal digits, or with the highest bit set a binary number, as GNU tar writes large ones. */
    private static long number(byte[] header, int offset, int length, String archive) {
        long value = 0;
        if ((header[offset] & 0x80) != 0) {
            for (int i = 1; i < length; i++) {
                if ((value >>> 54) != 0) {
                    throw new InvalidArgumentException(archive + " has a number that is too large in a header");
                }
                value = (value << 8) | (header[offset + i] & 0xff);
            }
            return value;
        }
        for (int i = offset; i < offset + length; i++) {
            int c = header[i];
            if (c >= '0' && c <= '7') {
                value = (value << 3) | (c - '0');
            } else if (c != 0 && c != ' ') {
                throw new InvalidArgumentException(archive + " is not a tar archive: a number in a header is none");
            }
        }
        return value;
    }

    private static String headerName(byte[] header) {
        String name = text(header, 0, 100);
        boolean ustar = text(header, 257, 5).equals("ustar");
        String prefix = ustar && header[262] == 0 ? text(header, 345, 155) : "";
        return prefix.isEmpty() ? name : prefix + "/" + name;
    }

    private static String text(byte[] bytes, int offset, int length) {
        int end = offset;
        while (end < offset + length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, offset, end - offset, StandardCharsets.UTF_8);
    }

    /** Records of {@code <length> <key>=<value>\n}. */
    private static Map<String, String> paxRecords(byte[] extended, String archive) {
        Map<String, String> records = new HashMap<>();
        int at = 0;
        while (at < extended.length) {
            int space = at;
            while (space < extended.length && extended[space] != ' ') {
                space++;
            }
            long length = decimal(text(extended, at, space - at), archive);
            if (length < space - at + 4 || length > extended.length - at) {
                throw new InvalidArgumentException(archive + " has a damaged extended header");
            }
            String record = text(extended, space + 1, (int) length - (space + 1 - at) - 1);
            int equals = record.indexOf('=');
            if (equals > 0) {
                records.put(record.substring(0, equals), record.substring(equals + 1));
            }
            at += (int) length;
        }
        return records;
    }

    private static long decimal(String text, String archive) {
        if (!text.matches("\\d{1,18}")) {
            throw new InvalidArgumentException(archive + " has a damaged extended header");
        }
        return Long.parseLong(text);
    }

    /** Reads at positions of its own, so that streams do not disturb each other. */
    private final class ContentStream extends InputStream {

        private long at;
        private long left;

        ContentStream(long at, long left) {
            this.at = at;
            this.left = left;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = channel.read(ByteBuffer.wrap(buffer, offset, (int) Math.min(length, left)), at);
            if (count > 0) {
                at += count;
                left -= count;
            }
            return count;
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
