package dev.longshore.stargz.layer;

import dev.longshore.sdk.linux.FileCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.zip.CRC32C;

/**
 * The chunks of one layer that are here: uncompressed, in a sparse file, with a bit for each in a second file.
 *
 * <p>A chunk's bit is written after its bytes, so that it counts when both are there. Neither file is synced: what a crash of the
 * machine or a disk makes of them is found out, since nothing is trusted that is read. The first time, a chunk is held against its
 * digest; its blocks get checksums then, which a read of a part of it is held against. A chunk that fails is no longer here.
 *
 * <p>Safe for use by many threads.
 */
final class ChunkStore implements AutoCloseable {

    /** Bytes of a chunk that have one checksum. */
    private static final int BLOCK = 64 << 10;

    private final Path dataFile;
    private final ChunkTable table;
    private final ChunkCache cache;
    private final FileChannel data;
    private final FileChannel bits;
    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock.
    private final BitSet present;
    private final BitSet checked;
    private final BitSet used;
    private int hand;
    private boolean kept;

    /** Checksums of all blocks; a chunk's begin at its {@code firstBlocks}. Written before the chunk's bit in {@code checked}. */
    private final int[] checksums;

    private final int[] firstBlocks;

    private ChunkStore(Path dataFile, ChunkTable table, ChunkCache cache, FileChannel data, FileChannel bits)
            throws IOException {
        this.dataFile = dataFile;
        this.table = table;
        this.cache = cache;
        this.data = data;
        this.bits = bits;
        byte[] stored = new byte[(table.count() + 7) / 8];
        ByteBuffer buffer = ByteBuffer.wrap(stored);
        while (buffer.hasRemaining() && bits.read(buffer, buffer.position()) > 0) {
            // Bits that are not in the file are of chunks that are not here.
        }
        present = BitSet.valueOf(stored);
        if (present.length() > table.count()) {
            present.clear(table.count(), present.length());
        }
        checked = new BitSet(table.count());
        used = new BitSet(table.count());
        firstBlocks = new int[table.count() + 1];
        for (int i = 0; i < table.count(); i++) {
            firstBlocks[i + 1] = firstBlocks[i] + blocks(table.size(i));
        }
        checksums = new int[firstBlocks[table.count()]];
    }

    private static int blocks(int size) {
        return (size + BLOCK - 1) / BLOCK;
    }

    /**
     * Opens the files, and makes them if they are not there.
     *
     * @param cache that all stores share the room of
     */
    static ChunkStore open(Path dataFile, Path bitFile, ChunkTable table, ChunkCache cache) throws IOException {
        FileChannel data = open(dataFile);
        try {
            FileChannel bits = open(bitFile);
            try {
                ChunkStore store = new ChunkStore(dataFile, table, cache, data, bits);
                cache.add(store, store.bytes());
                return store;
            } catch (IOException | RuntimeException e) {
                bits.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            data.close();
            throw e;
        }
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    boolean has(int chunk) {
        lock.lock();
        try {
            return present.get(chunk);
        } finally {
            lock.unlock();
        }
    }

    /** The next chunk from {@code chunk} on that is not here; the number of chunks if there is none. */
    int nextMissing(int chunk) {
        lock.lock();
        try {
            return Math.min(present.nextClearBit(chunk), table.count());
        } finally {
            lock.unlock();
        }
    }

    /** Uncompressed bytes of what is here. */
    long bytes() {
        lock.lock();
        try {
            return present.stream().mapToLong(table::size).sum();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Stores a chunk that has been verified.
     *
     * @throws IOException if the disk does not take it; then it is not here
     */
    void put(int chunk, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        long position = table.position(chunk);
        while (buffer.hasRemaining()) {
            data.write(buffer, position + buffer.position());
        }
        sum(chunk, bytes);
        boolean added;
        lock.lock();
        try {
            checked.set(chunk);
            used.set(chunk);
            added = !present.get(chunk);
            present.set(chunk);
            writeBit(chunk);
        } finally {
            lock.unlock();
        }
        if (added) {
            cache.stored(bytes.length);
        }
    }

    /** Whoever does so at the same time writes the same; others read it when they have seen the chunk's bit. */
    private void sum(int chunk, byte[] bytes) {
        CRC32C crc = new CRC32C();
        for (int block = 0; block < blocks(bytes.length); block++) {
            crc.reset();
            crc.update(bytes, block * BLOCK, Math.min(BLOCK, bytes.length - block * BLOCK));
            checksums[firstBlocks[chunk] + block] = (int) crc.getValue();
        }
    }

    private void writeBit(int chunk) throws IOException {
        int at = chunk / 8;
        int value = 0;
        for (int bit = 0; bit < 8; bit++) {
            if (present.get(at * 8 + bit)) {
                value |= 1 << bit;
            }
        }
        bits.write(ByteBuffer.wrap(new byte[] {(byte) value}), at);
    }

    /** Says whether bytes are what a chunk should be. */
    @FunctionalInterface
    interface Check {
        boolean passes(int chunk, byte[] bytes);
    }

    /**
     * Reads a part of a chunk.
     *
     * @param check for a chunk that this process has not seen yet
     * @return the bytes asked for, or some more on both sides; empty if the chunk is not here, or not any more
     */
    Optional<ByteBuffer> read(int chunk, int offset, int length, Check check) throws IOException {
        boolean known;
        lock.lock();
        try {
            if (!present.get(chunk)) {
                return Optional.empty();
            }
            known = checked.get(chunk);
            used.set(chunk);
        } finally {
            lock.unlock();
        }
        int size = table.size(chunk);
        int begin = known ? offset / BLOCK * BLOCK : 0;
        int end = known ? (int) Math.min(size, ((long) offset + length + BLOCK - 1) / BLOCK * BLOCK) : size;
        byte[] bytes = new byte[end - begin];
        boolean right = readFully(bytes, table.position(chunk) + begin)
                && (known ? sumsAreRight(chunk, begin, bytes) : check.passes(chunk, bytes));
        if (!right) {
            drop(chunk);
            return Optional.empty();
        }
        if (!known) {
            sum(chunk, bytes);
            lock.lock();
            try {
                checked.set(chunk);
            } finally {
                lock.unlock();
            }
        }
        return Optional.of(ByteBuffer.wrap(bytes, offset - begin, length));
    }

    private boolean readFully(byte[] bytes, long position) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            if (data.read(buffer, position + buffer.position()) < 0) {
                return false;
            }
        }
        return true;
    }

    private boolean sumsAreRight(int chunk, int begin, byte[] bytes) {
        CRC32C crc = new CRC32C();
        int first = firstBlocks[chunk] + begin / BLOCK;
        for (int block = 0; block < blocks(bytes.length); block++) {
            crc.reset();
            crc.update(bytes, block * BLOCK, Math.min(BLOCK, bytes.length - block * BLOCK));
            if (checksums[first + block] != (int) crc.getValue()) {
                return false;
            }
        }
        return true;
    }

    private void drop(int chunk) throws IOException {
        lock.lock();
        try {
            if (!present.get(chunk)) {
                return;
            }
            present.clear(chunk);
            checked.clear(chunk);
            writeBit(chunk);
        } finally {
            lock.unlock();
        }
        cache.removed(table.size(chunk));
    }

    /** Whether no chunk is given back. */
    void keep(boolean all) {
        lock.lock();
        try {
            kept = all;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gives chunks back to the disk that have not been read since it was last asked to.
     *
     * @param wanted bytes to give back
     * @return bytes given back; fewer if it has come to the end of the layer
     */
    long evict(long wanted) throws IOException {
        long freed = 0;
        while (freed < wanted) {
            int victim;
            lock.lock();
            try {
                if (kept) {
                    return freed;
                }
                victim = present.nextSetBit(hand);
                if (victim < 0) {
                    hand = 0;
                    return freed;
                }
                hand = victim + 1;
                if (used.get(victim)) {
                    used.clear(victim);
                    continue;
                }
                present.clear(victim);
                checked.clear(victim);
                writeBit(victim);
            } finally {
                lock.unlock();
            }
            // Whoever reads it just now finds zeros, sees that they are wrong, and fetches it.
            FileCalls.punchHole(dataFile, table.position(victim), table.size(victim));
            freed += table.size(victim);
            cache.removed(table.size(victim));
        }
        return freed;
    }

    @Override
    public void close() throws IOException {
        cache.remove(this, bytes());
        try (data;
                bits) {
            // both
        }
    }
}
