package dev.longshore.cli.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Writes tar archives, right ones and wrong ones. */
final class ArchiveBuilder {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    ArchiveBuilder file(String name, String content) {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    ArchiveBuilder file(String name, byte[] content) {
        return entry('0', name, "", content.length, content);
    }

    ArchiveBuilder link(char type, String name, String target) {
        return entry(type, name, target, 0, new byte[0]);
    }

    /** @param size what the header says, whatever the content has */
    ArchiveBuilder entry(char type, String name, String link, long size, byte[] content) {
        byte[] header = new byte[512];
        put(header, 0, name);
        put(header, 100, "0000644\0");
        put(header, 124, String.format(Locale.ROOT, "%011o\0", size));
        put(header, 136, "00000000000\0");
        header[156] = (byte) type;
        put(header, 157, link);
        put(header, 257, "ustar\00000");
        put(header, 148, "        ");
        int sum = 0;
        for (byte b : header) {
            sum += b & 0xff;
        }
        put(header, 148, String.format(Locale.ROOT, "%06o\0 ", sum));
        bytes.writeBytes(header);
        bytes.writeBytes(content);
        bytes.writeBytes(new byte[(512 - content.length % 512) % 512]);
        return this;
    }

    private static void put(byte[] header, int offset, String text) {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(encoded, 0, header, offset, Math.min(encoded.length, 100));
    }

    /** Without the two empty blocks at the end, if {@code whole} is false. */
    Path write(Path file, boolean whole) throws IOException {
        if (whole) {
            bytes.writeBytes(new byte[1024]);
        }
        return Files.write(file, bytes.toByteArray());
    }

    Path write(Path file) throws IOException {
        return write(file, true);
    }
}
