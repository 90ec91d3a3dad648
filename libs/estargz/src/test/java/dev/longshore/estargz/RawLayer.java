package dev.longshore.estargz;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Layers put together by hand: those that no program makes, and that somebody may. */
final class RawLayer {

    private RawLayer() {}

    /** An eStargz layer whose payload is {@code payload} and whose TOC is {@code json}. */
    static BytesReader estargz(byte[] payload, String json) {
        return new BytesReader(
                join(payload, toc(json, Landmarks.TOC), gzipFooter("%016xSTARGZ".formatted(payload.length), true)));
    }

    /** The same as CRFS has it. */
    static BytesReader stargz(byte[] payload, String json) {
        return new BytesReader(
                join(payload, toc(json, Landmarks.TOC), gzipFooter("%016xSTARGZ".formatted(payload.length), false)));
    }

    /** A zstd:chunked layer with the footer of the stargz snapshotter. */
    static BytesReader zstdChunked(byte[] payload, String json) {
        byte[] toc = compress(Compression.ZSTD, json.getBytes(StandardCharsets.UTF_8));
        return new BytesReader(join(payload, frame(toc), frame(numbers(payload.length + 8, toc.length, 1))));
    }

    /** What a TOC's compressed bytes are in eStargz. */
    static byte[] toc(String json, String name) {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        try {
            ByteArrayOutputStream tar = new ByteArrayOutputStream();
            try (TarWriter writer = new TarWriter(tar)) {
                writer.write(TarEntry.builder(dev.longshore.sdk.tar.EntryType.FILE, name)
                        .size(bytes.length)
                        .build());
                writer.content(bytes, 0, bytes.length);
                writer.endContent(bytes.length);
            }
            return compress(Compression.GZIP, tar.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] compress(Compression compression, byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream stream = compression.compress(out)) {
            stream.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static byte[] gzipFooter(String text, boolean subfield) {
        ByteBuffer extra =
                ByteBuffer.allocate(text.length() + (subfield ? 4 : 0)).order(ByteOrder.LITTLE_ENDIAN);
        if (subfield) {
            extra.put((byte) 'S').put((byte) 'G').putShort((short) text.length());
        }
        extra.put(text.getBytes(StandardCharsets.US_ASCII));
        ByteBuffer footer = ByteBuffer.allocate(12 + extra.capacity() + 13).order(ByteOrder.LITTLE_ENDIAN);
        footer.put(new byte[] {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, (byte) 255});
        footer.putShort((short) extra.capacity()).put(extra.array());
        footer.put(new byte[] {1, 0, 0, (byte) 0xff, (byte) 0xff});
        return footer.array();
    }

    static byte[] numbers(long offset, long length, long type) {
        return ByteBuffer.allocate(40)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(offset)
                .putLong(length)
                .putLong(0)
                .putLong(type)
                .put("GnUlInUx".getBytes(StandardCharsets.US_ASCII))
                .array();
    }

    static byte[] frame(byte[] payload) {
        return ByteBuffer.allocate(8 + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x184D2A50)
                .putInt(payload.length)
                .put(payload)
                .array();
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** The bytes at {@code innerOffset} of a single stream. */
    static void decode(Compression compression, byte[] stream, long innerOffset, byte[] chunk) throws IOException {
        try (ChunkDecoder decoder = ChunkDecoder.of(compression, new ByteArrayInputStream(stream))) {
            decoder.begin(stream.length);
            decoder.read(innerOffset, ByteBuffer.wrap(chunk));
        }
    }
}
