package dev.longshore.sdk.tar;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Archives put together block by block, as no writer would. */
final class RawTar {

    static final byte[] USTAR = "ustar\00000".getBytes(StandardCharsets.ISO_8859_1);
    static final byte[] GNU = "ustar  \0".getBytes(StandardCharsets.ISO_8859_1);

    /** An entry with its stored content. */
    record Member(TarEntry entry, List<Segment> segments, String content) {}

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** A header; what is not set is as a plain writer has it. */
    static final class Header {

        private final byte[] block = new byte[512];
        private boolean summed = true;

        Header(char flag, String name) {
            text(HeaderBlock.NAME, name);
            text(HeaderBlock.MODE, "0000644");
            text(HeaderBlock.UID, "0000000");
            text(HeaderBlock.GID, "0000000");
            text(HeaderBlock.LENGTH, "00000000000");
            text(HeaderBlock.MTIME, "00000000000");
            block[HeaderBlock.TYPE] = (byte) flag;
            bytes(HeaderBlock.MAGIC, USTAR);
        }

        Header size(long size) {
            return text(HeaderBlock.LENGTH, "%011o".formatted(size));
        }

        Header text(int offset, String text) {
            return bytes(offset, text.getBytes(StandardCharsets.ISO_8859_1));
        }

        Header bytes(int offset, byte[] bytes) {
            System.arraycopy(bytes, 0, block, offset, bytes.length);
            return this;
        }

        Header checksum(String text) {
            summed = false;
            return text(HeaderBlock.CHECKSUM, text);
        }

        private byte[] build() {
            if (summed) {
                Arrays.fill(block, HeaderBlock.CHECKSUM, HeaderBlock.CHECKSUM + 8, (byte) ' ');
                int sum = 0;
                for (byte b : block) {
                    sum += b & 0xff;
                }
                text(HeaderBlock.CHECKSUM, "%06o\0 ".formatted(sum));
            }
            return block;
        }
    }

    RawTar header(Header header) {
        out.writeBytes(header.build());
        return this;
    }

    /** A header with what it promises. */
    RawTar member(Header header, byte[] content) {
        return header(header.size(content.length)).data(content);
    }

    RawTar member(Header header, String content) {
        return member(header, content.getBytes(StandardCharsets.ISO_8859_1));
    }

    RawTar file(String name, String content) {
        return member(new Header('0', name), content);
    }

    RawTar pax(String... keysAndValues) {
        return extended('x', keysAndValues);
    }

    RawTar extended(char flag, String... keysAndValues) {
        StringBuilder records = new StringBuilder();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            records.append(PaxRecords.format(keysAndValues[i], keysAndValues[i + 1]));
        }
        return member(new Header(flag, "PaxHeaders.0/x"), records.toString());
    }

    /** Bytes, and zeros up to the next block. */
    RawTar data(byte[] content) {
        out.writeBytes(content);
        out.writeBytes(new byte[-content.length & 511]);
        return this;
    }

    RawTar end() {
        out.writeBytes(new byte[1024]);
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    static List<Member> read(byte[] archive) throws IOException {
        return read(archive, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
    }

    static List<Member> read(byte[] archive, TarLimits limits, GlobalHeaders globalHeaders) throws IOException {
        List<Member> members = new ArrayList<>();
        read(new TarReader(new ByteArrayInputStream(archive), limits, globalHeaders), members);
        return members;
    }

    /** Adds the members that are whole to {@code into}. */
    static void read(TarReader reader, List<Member> into) throws IOException {
        for (Optional<TarEntry> next = reader.next(); next.isPresent(); next = reader.next()) {
            List<Segment> segments = reader.segments();
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            byte[] buffer = new byte[1000];
            for (int count = reader.read(buffer, 0, buffer.length);
                    count >= 0;
                    count = reader.read(buffer, 0, buffer.length)) {
                content.write(buffer, 0, count);
            }
            into.add(new Member(next.get(), segments, content.toString(StandardCharsets.ISO_8859_1)));
        }
    }
}
