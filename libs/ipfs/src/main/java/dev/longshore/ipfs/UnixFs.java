package dev.longshore.ipfs;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * What the data of a dag-pb node says of a part of a file.
 *
 * @see <a href="https://specs.ipfs.tech/unixfs/#dag-pb-file">UnixFS files</a>
 */
final class UnixFs {

    private static final int TYPE = 0x08;
    private static final int DATA = 0x12;
    private static final int FILE_SIZE = 0x18;
    private static final int BLOCK_SIZE = 0x20;
    private static final int HASH_TYPE = 0x28;
    private static final int FANOUT = 0x30;
    private static final int MODE = 0x38;
    private static final int MODIFIED = 0x42;

    /** Of the type field: bytes of a file in dag-pb instead of a raw block, as Kubo wrote long ago. */
    private static final long RAW = 0;

    private static final long FILE = 2;

    private final byte[] data;
    private final long fileSize;
    private final long[] childSizes;

    private UnixFs(byte[] data, long fileSize, long[] childSizes) {
        this.data = data;
        this.fileSize = fileSize;
        this.childSizes = childSizes;
    }

    /** Bytes of the file that are in this node, before those of its children. Not to be changed. */
    byte[] data() {
        return data;
    }

    /** Bytes of this and all below it. */
    long fileSize() {
        return fileSize;
    }

    int childCount() {
        return childSizes.length;
    }

    /** Bytes of the file below one link. */
    long childSize(int child) {
        return childSizes[child];
    }

    /** A node of children only. */
    static byte[] encode(long fileSize, long[] blockSizes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(16 + 4 * blockSizes.length);
        out.write(TYPE);
        Varints.write(out, FILE);
        out.write(FILE_SIZE);
        Varints.write(out, fileSize);
        for (long size : blockSizes) {
            out.write(BLOCK_SIZE);
            Varints.write(out, size);
        }
        return out.toByteArray();
    }

    /** @throws DagFormatException if it is no file, or its sizes do not add up */
    static UnixFs decode(byte[] bytes) throws DagFormatException {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        long type = -1;
        byte[] data = new byte[0];
        Optional<Long> told = Optional.empty();
        long[] sizes = new long[16];
        int count = 0;
        while (in.hasRemaining()) {
            switch (in.get()) {
                case TYPE -> type = DagPb.number(in);
                case DATA -> data = DagPb.bytes(in);
                case FILE_SIZE -> told = Optional.of(DagPb.number(in));
                case BLOCK_SIZE -> {
                    if (count == DagPb.MAX_LINKS) {
                        throw new DagFormatException(
                                "a UnixFS node has more than %d block sizes".formatted(DagPb.MAX_LINKS));
                    }
                    if (count == sizes.length) {
                        sizes = Arrays.copyOf(sizes, 2 * count);
                    }
                    sizes[count++] = DagPb.number(in);
                }
                // They change nothing of the bytes.
                case HASH_TYPE, FANOUT, MODE -> DagPb.number(in);
                case MODIFIED -> DagPb.bytes(in);
                default -> throw new DagFormatException("a UnixFS node has a field that is not known");
            }
        }
        if (type != FILE && type != RAW) {
            throw new DagFormatException("a UnixFS node of type %d is no file".formatted(type));
        }
        long sum = data.length;
        for (int i = 0; i < count; i++) {
            if (sizes[i] == 0) {
                throw new DagFormatException("a UnixFS node has a child of no bytes");
            }
            sum += sizes[i];
            if (sum < 0) {
                throw new DagFormatException("the sizes of a UnixFS node are too large");
            }
        }
        if (told.isPresent() && told.get() != sum) {
            throw new DagFormatException(
                    "a UnixFS node says that it has %d bytes, and its parts have %d".formatted(told.get(), sum));
        }
        return new UnixFs(data, sum, Arrays.copyOf(sizes, count));
    }
}
