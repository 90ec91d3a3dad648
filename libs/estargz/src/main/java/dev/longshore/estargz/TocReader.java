package dev.longshore.estargz;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.compress.CompressionException;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.JsonReader;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarFormatException;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;

/**
 * Reads tables of contents: of eStargz, plain stargz, and both kinds of zstd:chunked. The order of the checks: the sizes,
 * the digest of the compressed bytes where there is one, form and limits of each entry, the digest of the uncompressed
 * bytes. Entries are handed out before that last one, so that a table of any size passes through little memory:
 * <b>whoever takes them throws them away if {@link #read} fails.</b> Safe for use by many threads.
 */
public final class TocReader {

    /** Takes the entries in their order. */
    @FunctionalInterface
    public interface Sink {
        void accept(TocEntry entry) throws IOException;
    }

    private static final int VERSION = 1;

    private static final int KEY_VERSION = 0;
    private static final int KEY_ENTRIES = 1;
    private static final JsonReader.Keys KEYS = JsonReader.Keys.of(List.of("version", "entries"));

    private final TocLimits limits;

    public TocReader(TocLimits limits) {
        this.limits = limits;
    }

    /**
     * Reads the TOC that is in {@code blob}.
     *
     * @throws LayerFormatException if it is damaged, is another than {@code verification} says, or is over a limit; also if
     *     it is not in the blob at all: then {@link #readExternal} is the way
     */
    public Toc read(BlobReader blob, Footer footer, TocVerification verification, Sink sink) throws IOException {
        if (footer.format() == LayerFormat.EXTERNAL_TOC) {
            throw new LayerFormatException("the layer's TOC is not in the layer but in an image of its own");
        }
        byte[] compressed = bytes(blob, footer.tocOffset(), footer.tocLength());
        return read(compressed, footer.format(), footer.payloadEnd(), verification, sink);
    }

    /** Like {@link #read} for the TOC of a layer with {@link LayerFormat#EXTERNAL_TOC}, which is all of {@code tocBlob}. */
    public Toc readExternal(BlobReader tocBlob, Footer footer, TocVerification verification, Sink sink)
            throws IOException {
        byte[] compressed = bytes(tocBlob, 0, tocBlob.size());
        return read(compressed, LayerFormat.EXTERNAL_TOC, footer.payloadEnd(), verification, sink);
    }

    private byte[] bytes(BlobReader blob, long offset, long length) throws IOException {
        if (length > limits.compressedBytes()) {
            throw new LayerFormatException(
                    "the TOC has %d bytes, the limit is %d".formatted(length, limits.compressedBytes()));
        }
        ByteBuffer compressed = ByteBuffer.allocate((int) length);
        blob.readFully(offset, compressed);
        return compressed.array();
    }

    private Toc read(byte[] compressed, LayerFormat format, long payloadEnd, TocVerification verification, Sink sink)
            throws IOException {
        Digest digestOfCompressed;
        if (verification instanceof TocVerification.Compressed(Digest expected)) {
            digestOfCompressed = digestOf(compressed, expected.algorithm());
            check(expected, digestOfCompressed);
        } else {
            digestOfCompressed = Digest.sha256(compressed);
        }
        String algorithm =
                verification instanceof TocVerification.Uncompressed(Digest expected) ? expected.algorithm() : "sha256";
        try (InputStream in = format.compression().expand(new ByteArrayInputStream(compressed))) {
            TocStream json = format.compression() == Compression.GZIP
                    ? new TocStream(entryOf(in), limits.jsonBytes(), algorithm)
                    : new TocStream(in, limits.jsonBytes(), algorithm);
            long entries = parse(json, payloadEnd, sink);
            Digest digest = json.digest();
            if (verification instanceof TocVerification.Uncompressed(Digest expected)) {
                check(expected, digest);
            }
            return new Toc(digest, digestOfCompressed, json.count(), entries);
        } catch (InvalidArgumentException | CompressionException | TarFormatException e) {
            throw new LayerFormatException("the TOC cannot be read: " + e.getMessage(), e);
        }
    }

    private static Digest digestOf(byte[] bytes, String algorithm) {
        MessageDigest digester = Digest.digester(algorithm);
        digester.update(bytes);
        return Digest.of(algorithm, digester);
    }

    private static void check(Digest expected, Digest found) throws LayerFormatException {
        if (!found.equals(expected)) {
            throw new LayerFormatException(
                    "the TOC is not the one that the image names: its digest is %s, not %s".formatted(found, expected));
        }
    }

    /** The one file of the archive that the TOC of eStargz is. */
    private static InputStream entryOf(InputStream archive) throws IOException {
        TarReader tar = new TarReader(archive, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
        Optional<TarEntry> entry = tar.next();
        if (!entry.map(TarEntry::name).orElse("").equals(Landmarks.TOC)) {
            throw new LayerFormatException("where the footer points there is no %s but %s"
                    .formatted(
                            Landmarks.TOC,
                            entry.map(found -> "\"%.80s\"".formatted(found.name()))
                                    .orElse("nothing")));
        }
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                return tar.read(buffer, offset, length);
            }
        };
    }

    private long parse(TocStream in, long payloadEnd, Sink sink) throws IOException {
        TocParser parser = new TocParser(limits, payloadEnd, sink);
        long version = 0;
        boolean entries = false;
        try (JsonReader json = new JsonReader(in, limits.textBytes(), "the TOC")) {
            json.beginObject();
            for (int key = json.nextKey(KEYS); key != JsonReader.END; key = json.nextKey(KEYS)) {
                switch (key) {
                    case KEY_VERSION -> version = json.number();
                    case KEY_ENTRIES -> {
                        if (entries) {
                            throw new LayerFormatException("the TOC has two lists of entries");
                        }
                        entries = true;
                        parser.entries(json);
                    }
                    default -> json.skip();
                }
            }
            json.end();
        }
        if (version != VERSION) {
            throw new LayerFormatException("the TOC is of version %d, only %d is known".formatted(version, VERSION));
        }
        return parser.count();
    }
}
