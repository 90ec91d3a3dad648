package dev.longshore.estargz;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * Where in a layer its table of contents is. All of it lies inside of the blob.
 *
 * @param payloadEnd behind the last byte of files' streams
 * @param tocOffset where the compressed TOC begins; the blob's end if the TOC is not in it
 * @param tocLength compressed bytes of the TOC; 0 if it is not in the blob
 * @see <a href="https://github.com/containerd/stargz-snapshotter/blob/main/docs/estargz.md#footer">eStargz' footer</a>
 */
public record Footer(LayerFormat format, long payloadEnd, long tocOffset, long tocLength) {

    /** Bytes at a blob's end that hold any footer: the magic number and length of a frame, and containers/storage's 64. */
    public static final int MAX_BYTES = 72;

    private static final int ESTARGZ_BYTES = 51;
    private static final int STARGZ_BYTES = 47;
    private static final int EXTERNAL_BYTES = 46;

    /** Payload of the footer's frame in the stargz snapshotter's zstd:chunked: offset, lengths, type, magic. */
    private static final int ZSTD_BYTES = 40;
    /** The same in containers/storage's, which adds where the tar-split data is. */
    private static final int ZSTD_TAR_SPLIT_BYTES = 64;

    private static final int FRAME_HEADER = 8;
    private static final int SKIPPABLE_FRAME = 0x184D2A50;
    private static final String ZSTD_MAGIC = "GnUlInUx";
    private static final String ZSTD_TAR_SPLIT_MAGIC = "GNUlInUx";
    /** The only type of TOC that there is: that of CRFS. */
    private static final long TOC_TYPE = 1;

    /** An empty gzip member with an extra field, up to the field's length: RFC 1952; the mtime and the system may be any. */
    private static final byte[] GZIP_START = {0x1f, (byte) 0x8b, 8, 4};

    private static final int EXTRA_LENGTH = 10;
    private static final int EXTRA = 12;
    private static final String OFFSET_MAGIC = "STARGZ";
    private static final String EXTERNAL_MAGIC = "STARGZEXTERNALTOC";
    private static final int OFFSET_DIGITS = 16;

    /**
     * The footer of {@code blob}; empty if it has none, which says that this is an ordinary layer.
     *
     * @throws LayerFormatException if there is one that points outside of the blob
     */
    public static Optional<Footer> read(BlobReader blob) throws IOException {
        ByteBuffer tail = ByteBuffer.allocate((int) Math.min(MAX_BYTES, blob.size()));
        blob.readFully(blob.size() - tail.capacity(), tail);
        return parse(tail.array(), blob.size());
    }

    /**
     * The footer in the last bytes of a blob, of which {@link #MAX_BYTES} are enough.
     *
     * @throws LayerFormatException if there is one that points outside of the blob
     */
    public static Optional<Footer> parse(byte[] tail, long blobSize) throws LayerFormatException {
        Optional<byte[]> estargz = extra(tail, ESTARGZ_BYTES).flatMap(Footer::subfield);
        if (estargz.isPresent()) {
            return offset(estargz.get(), LayerFormat.ESTARGZ, blobSize - ESTARGZ_BYTES);
        }
        Optional<byte[]> stargz = extra(tail, STARGZ_BYTES);
        if (stargz.isPresent()) {
            return offset(stargz.get(), LayerFormat.STARGZ, blobSize - STARGZ_BYTES);
        }
        if (extra(tail, EXTERNAL_BYTES)
                .flatMap(Footer::subfield)
                .filter(text -> ascii(text).equals(EXTERNAL_MAGIC))
                .isPresent()) {
            long end = blobSize - EXTERNAL_BYTES;
            return Optional.of(new Footer(LayerFormat.EXTERNAL_TOC, end, blobSize, 0));
        }
        if (isFrame(tail, ZSTD_BYTES, ZSTD_MAGIC)) {
            return Optional.of(zstd(tail, ZSTD_BYTES, blobSize));
        }
        if (isFrame(tail, ZSTD_TAR_SPLIT_BYTES, ZSTD_TAR_SPLIT_MAGIC)) {
            return Optional.of(zstd(tail, ZSTD_TAR_SPLIT_BYTES, blobSize));
        }
        return Optional.empty();
    }

    /**
     * What a zstd:chunked layer's descriptor says of its TOC, so that the footer need not be fetched; empty if it does not.
     *
     * @throws LayerFormatException if it says something that cannot be
     */
    public static Optional<Footer> of(Map<String, String> annotations, long blobSize) throws LayerFormatException {
        String position = annotations.getOrDefault(
                Annotations.ZSTD_POSITION, annotations.getOrDefault(Annotations.STARGZ_ZSTD_POSITION, ""));
        if (position.isEmpty()) {
            return Optional.empty();
        }
        long[] numbers;
        try {
            numbers = Arrays.stream(position.split(":", -1))
                    .mapToLong(Long::parseLong)
                    .toArray();
        } catch (NumberFormatException e) {
            throw new LayerFormatException(
                    "annotation %s is \"%.80s\": it should be four numbers with colons in between"
                            .formatted(Annotations.ZSTD_POSITION, position),
                    e);
        }
        if (numbers.length != 4) {
            throw new LayerFormatException(
                    "annotation %s is \"%.80s\": it should be four numbers with colons in between"
                            .formatted(Annotations.ZSTD_POSITION, position));
        }
        return Optional.of(zstd(numbers[0], numbers[1], numbers[3], blobSize));
    }

    /** The extra field of the empty gzip member that the last {@code length} bytes are. */
    private static Optional<byte[]> extra(byte[] tail, int length) {
        int start = tail.length - length;
        int extra = length - EXTRA - 5 - 8; // behind it a stored block without bytes, checksum and length
        if (start < 0
                || !Arrays.equals(tail, start, start + GZIP_START.length, GZIP_START, 0, GZIP_START.length)
                || little(tail, start + EXTRA_LENGTH).getShort() != extra) {
            return Optional.empty();
        }
        return Optional.of(Arrays.copyOfRange(tail, start + EXTRA, start + EXTRA + extra));
    }

    /** The one subfield SG of an extra field. */
    private static Optional<byte[]> subfield(byte[] extra) {
        if (extra[0] != 'S' || extra[1] != 'G' || little(extra, 2).getShort() != extra.length - 4) {
            return Optional.empty();
        }
        return Optional.of(Arrays.copyOfRange(extra, 4, extra.length));
    }

    private static Optional<Footer> offset(byte[] text, LayerFormat format, long end) throws LayerFormatException {
        String digits = ascii(text).substring(0, OFFSET_DIGITS);
        if (!ascii(text).substring(OFFSET_DIGITS).equals(OFFSET_MAGIC)) {
            return Optional.empty();
        }
        long offset;
        try {
            offset = Long.parseLong(digits, 16);
        } catch (NumberFormatException e) {
            throw new LayerFormatException("the footer's offset of the TOC is no number", e);
        }
        if (offset < 0 || offset >= end) {
            throw new LayerFormatException(
                    "the footer says that the TOC begins at byte %d, the layer has %d bytes before its footer"
                            .formatted(offset, end));
        }
        return Optional.of(new Footer(format, offset, offset, end - offset));
    }

    private static boolean isFrame(byte[] tail, int payload, String magic) {
        int start = tail.length - payload - FRAME_HEADER;
        return start >= 0
                && little(tail, start).getInt() == SKIPPABLE_FRAME
                && little(tail, start + 4).getInt() == payload
                && ascii(Arrays.copyOfRange(tail, tail.length - magic.length(), tail.length))
                        .equals(magic);
    }

    private static Footer zstd(byte[] tail, int payload, long blobSize) throws LayerFormatException {
        ByteBuffer numbers = little(tail, tail.length - payload);
        long offset = numbers.getLong();
        long length = numbers.getLong();
        numbers.getLong(); // what the TOC is to grow to: the limits are ours
        return zstd(offset, length, numbers.getLong(), blobSize);
    }

    private static Footer zstd(long offset, long length, long type, long blobSize) throws LayerFormatException {
        if (type != TOC_TYPE) {
            throw new LayerFormatException("the TOC is of type %d, only %d is known".formatted(type, TOC_TYPE));
        }
        if (offset < FRAME_HEADER || length <= 0 || length > blobSize || offset > blobSize - length) {
            throw new LayerFormatException("the TOC is said to be the %d bytes at %d, the layer has %d bytes"
                    .formatted(length, offset, blobSize));
        }
        return new Footer(LayerFormat.ZSTD_CHUNKED, offset - FRAME_HEADER, offset, length);
    }

    private static ByteBuffer little(byte[] bytes, int at) {
        return ByteBuffer.wrap(bytes, at, bytes.length - at).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static String ascii(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
