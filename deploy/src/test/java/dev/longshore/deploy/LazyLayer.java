package dev.longshore.deploy;

import dev.longshore.estargz.Annotations;
import dev.longshore.estargz.BlobReader;
import dev.longshore.estargz.Footer;
import dev.longshore.estargz.Landmarks;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.LayerOptions;
import dev.longshore.estargz.LayerWriter;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/**
 * An eStargz layer, good or made by somebody who means harm: then its digests all fit, as they do when the harm is in what the image's
 * own maker has put there.
 */
final class LazyLayer {

    private static final int CHUNK = 64 << 10;

    private final byte[] blob;
    private final Digest diffId;
    private final Map<String, String> annotations;

    private LazyLayer(byte[] blob, Digest diffId, Map<String, String> annotations) {
        this.blob = blob;
        this.diffId = diffId;
        this.annotations = Map.copyOf(annotations);
    }

    byte[] blob() {
        return blob.clone();
    }

    Digest diffId() {
        return diffId;
    }

    /** Of its descriptor. */
    Map<String, String> annotations() {
        return annotations;
    }

    /** What it is said to be in the image's manifest. */
    Digest digest() {
        return Digest.sha256(blob);
    }

    /** A good one. */
    static LazyLayer of(Map<String, byte[]> files) {
        return of(files, List.of());
    }

    /** @param first paths of files that are needed first */
    static LazyLayer of(Map<String, byte[]> files, List<String> first) {
        try {
            Path tar = Files.createTempFile("layer", ".tar");
            try {
                try (OutputStream out = Files.newOutputStream(tar);
                        TarWriter writer = new TarWriter(out)) {
                    for (Map.Entry<String, byte[]> file : files.entrySet()) {
                        write(writer, file.getKey(), file.getValue());
                    }
                }
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                try (FileChannel archive = FileChannel.open(tar)) {
                    var written = new LayerWriter(LayerFormat.ESTARGZ, new LayerOptions(CHUNK, 1, first, 1))
                            .write(archive, out);
                    return new LazyLayer(out.toByteArray(), written.diffId(), written.annotations());
                }
            } finally {
                Files.delete(tar);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(TarWriter tar, String name, byte[] content) throws IOException {
        tar.write(TarEntry.builder(EntryType.FILE, name)
                .size(content.length)
                .mode(0755)
                .build());
        tar.content(content, 0, content.length);
        tar.endContent(content.length);
    }

    private Footer footer() throws IOException {
        return Footer.read(new BlobReader() {
                    @Override
                    public long size() {
                        return blob.length;
                    }

                    @Override
                    public void readFully(long offset, ByteBuffer to) {
                        to.put(blob, (int) offset, to.remaining());
                    }
                })
                .orElseThrow();
    }

    /** The table of contents, JSON. */
    String toc() {
        try (InputStream in = new GZIPInputStream(
                new ByteArrayInputStream(blob, (int) footer().tocOffset(), (int) footer().tocLength()))) {
            byte[] tar = in.readAllBytes();
            int size = Integer.parseInt(new String(tar, 124, 11, StandardCharsets.US_ASCII), 8);
            return new String(tar, 512, size, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A table of contents that may be too large to be kept. */
    interface Table {
        void write(OutputStream out) throws IOException;
    }

    /** This layer with entries that nobody should make before its own. */
    LazyLayer withEntries(String entries) {
        return withToc(toc().replaceFirst("\"entries\":\\[", "\"entries\":[" + entries + ","));
    }

    LazyLayer withToc(String json) {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        return withToc(bytes.length, out -> out.write(bytes));
    }

    /** @param size bytes of the table */
    LazyLayer withToc(long size, Table table) {
        try {
            byte[] payload = Arrays.copyOf(blob, (int) footer().tocOffset());
            MessageDigest digest = Digest.digester("sha256");
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.writeBytes(payload);
            try (OutputStream gzip = new GZIPOutputStream(out, 1 << 16);
                    TarWriter tar = new TarWriter(gzip)) {
                tar.write(TarEntry.builder(EntryType.FILE, Landmarks.TOC)
                        .size(size)
                        .build());
                table.write(new DigestOutputStream(new ContentOf(tar), digest));
                tar.endContent(size);
            }
            out.writeBytes(footer(payload.length));
            return of(out.toByteArray(), Digest.of("sha256", digest));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The content of a tar's entry that is written now. */
    private static final class ContentOf extends OutputStream {

        private final TarWriter tar;

        ContentOf(TarWriter tar) {
            this.tar = tar;
        }

        @Override
        public void write(int one) throws IOException {
            write(new byte[] {(byte) one}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            tar.content(bytes, offset, length);
        }
    }

    /** This layer with a footer that says that the table is at {@code offset}. */
    LazyLayer withFooter(long offset) {
        byte[] changed = blob.clone();
        byte[] footer = footer(offset);
        System.arraycopy(footer, 0, changed, changed.length - footer.length, footer.length);
        return new LazyLayer(changed, diffId, annotations);
    }

    /** This layer with another promise of what its table is. */
    LazyLayer promising(Digest toc) {
        Map<String, String> other = new HashMap<>(annotations);
        other.put(Annotations.TOC_DIGEST, toc.toString());
        return new LazyLayer(blob, diffId, other);
    }

    private LazyLayer of(byte[] changed, Digest toc) throws IOException {
        MessageDigest diff = Digest.digester("sha256");
        try (InputStream in = new GZIPInputStream(new ByteArrayInputStream(changed));
                OutputStream out = new DigestOutputStream(OutputStream.nullOutputStream(), diff)) {
            in.transferTo(out);
        }
        return new LazyLayer(changed, Digest.of("sha256", diff), annotations).promising(toc);
    }

    private static byte[] footer(long offset) {
        String text = "%016xSTARGZ".formatted(offset);
        return ByteBuffer.allocate(51)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(new byte[] {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, (byte) 255})
                .putShort((short) (text.length() + 4))
                .put((byte) 'S')
                .put((byte) 'G')
                .putShort((short) text.length())
                .put(text.getBytes(StandardCharsets.US_ASCII))
                .put(new byte[] {1, 0, 0, (byte) 0xff, (byte) 0xff})
                .put(new byte[8])
                .array();
    }
}
