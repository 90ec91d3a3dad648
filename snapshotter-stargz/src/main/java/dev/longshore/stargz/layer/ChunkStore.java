package dev.longshore.stargz.layer;

import dev.longshore.sdk.linux.FileCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The chunks of one layer that are here: uncompressed, in sparse files, with a bit for each in a further file. Big files have a file of
 * their own, which can be left to the kernel when it is whole.
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
    private final ChunkBuffers buffers;
    private final FileChannel data;
    private final FileChannel bits;
    private final ReentrantLock lock = new ReentrantLock();

    /**
     * Read-locked from the first byte of a chunk that is written to its bit, write-locked from a bit that is cleared to the hole: else
     * there could be a hole where a chunk counts as here and checked. Taken before {@code lock}.
     */
    private final ReentrantReadWriteLock writing = new ReentrantReadWriteLock();

    // Guarded by lock.
    private final BitSet present;
    private final BitSet checked;
    private final BitSet used;
    private int hand;
    private boolean kept;
    /** Big files that are left as they are, by their inodes. */
    private final BitSet left = new BitSet();

    /** Opened when they are needed. */
    private final @Nullable FileChannel[] bigData;

    private boolean closed;

    /** Checksums of all blocks; a chunk's begin at its {@code firstBlocks}. Written before the chunk's bit in {@code checked}. */
    private final int[] checksums;

    private final int[] firstBlocks;

    private ChunkStore(
            Path dataFile, ChunkTable table, ChunkCache cache, ChunkBuffers buffers, FileChannel data, FileChannel bits)
            throws IOException {
        this.dataFile = dataFile;
        this.table = table;
        this.cache = cache;
        this.buffers = buffers;
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
        bigData = new FileChannel[table.bigFiles().count()];
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
    static ChunkStore open(Path dataFile, Path bitFile, ChunkTable table, ChunkCache cache, ChunkBuffers buffers)
            throws IOException {
        FileChannel data = open(dataFile);
        try {
            FileChannel bits = open(bitFile);
            try {
                ChunkStore store = new ChunkStore(dataFile, table, cache, buffers, data, bits);
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

    private Path file(int chunk) {
        return table.bigFile(chunk) < 0 ? dataFile : bigFile(table.inode(chunk));
    }

    private Path bigFile(int inode) {
        return dataFile.resolveSibling(dataFile.getFileName() + "-" + inode);
    }

    /** The local file with a chunk. */
    private FileChannel data(int chunk) throws IOException {
        int big = table.bigFile(chunk);
        if (big < 0) {
            return data;
        }
        lock.lock();
        try {
            FileChannel open = bigData[big];
            if (open == null) {
                if (closed) {
                    throw new ClosedChannelException();
                }
                open = open(file(chunk));
                bigData[big] = open;
            }
            return open;
        } finally {
            lock.unlock();
        }
    }

    /**
     * The local file of a big file, if all of it is here and has been verified; it is left as it is from then on.
     *
     * @return empty also for other files
     */
    Optional<Path> keepFile(int inode) {
        if (!table.bigFiles().has(inode)) {
            return Optional.empty();
        }
        lock.lock();
        try {
            int first = table.first(inode);
            int end = table.end(inode);
            if (closed || checked.nextClearBit(first) < end || present.nextClearBit(first) < end) {
                return Optional.empty();
            }
            if (!left.get(inode) && !cache.leave(bytes(inode))) {
                return Optional.empty();
            }
            left.set(inode);
            return Optional.of(bigFile(inode));
        } finally {
            lock.unlock();
        }
    }

    /** Leaves the local file of a big file as it is, whatever is in it. */
    void keepTold(int inode) {
        lock.lock();
        try {
            if (!left.get(inode) && !closed) {
                left.set(inode);
                cache.addLeft(bytes(inode));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Uncompressed bytes of a file. */
    private long bytes(int inode) {
        long sum = 0;
        for (int chunk = table.first(inode); chunk < table.end(inode); chunk++) {
            sum += table.size(chunk);
        }
        return sum;
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
     * @param bytes what remains in it; left as it is
     * @throws IOException if the disk does not take it; then it is not here
     */
    void put(int chunk, ByteBuffer bytes) throws IOException {
        boolean added;
        writing.readLock().lock();
        try {
            added = write(chunk, bytes);
        } finally {
            writing.readLock().unlock();
        }
        if (added) {
            cache.stored(bytes.remaining());
        }
    }

    /** @return whether it was not here */
    private boolean write(int chunk, ByteBuffer bytes) throws IOException {
        ByteBuffer buffer = bytes.slice();
        FileChannel file = data(chunk);
        long position = table.position(chunk);
        while (buffer.hasRemaining()) {
            file.write(buffer, position + buffer.position());
        }
        sum(chunk, bytes);
        lock.lock();
        try {
            checked.set(chunk);
            used.set(chunk);
            boolean added = !present.get(chunk);
            present.set(chunk);
            writeBit(chunk);
            return added;
        } finally {
            lock.unlock();
        }
    }

    /** Whoever does so at the same time writes the same; others read it when they have seen the chunk's bit. */
    private void sum(int chunk, ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        for (int block = 0; block < blocks(bytes.remaining()); block++) {
            checksums[firstBlocks[chunk] + block] = sum(crc, bytes, block);
        }
    }

    private static int sum(CRC32C crc, ByteBuffer bytes, int block) {
        crc.reset();
        int begin = block * BLOCK;
        crc.update(bytes.slice(bytes.position() + begin, Math.min(BLOCK, bytes.remaining() - begin)));
        return (int) crc.getValue();
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
        /** @param bytes what remains in it; may be used up */
        boolean passes(int chunk, ByteBuffer bytes);
    }

    /**
     * Reads a part of a chunk.
     *
     * @param to filled from its position to its limit
     * @param check for a chunk that this process has not seen yet
     * @return false if the chunk is not here, or not any more; then {@code to} has whatever was there, its position being as before
     */
    boolean read(int chunk, int offset, ByteBuffer to, Check check) throws IOException {
        boolean known;
        lock.lock();
        try {
            if (!present.get(chunk)) {
                return false;
            }
            known = checked.get(chunk);
            used.set(chunk);
        } finally {
            lock.unlock();
        }
        int size = table.size(chunk);
        int end = offset + to.remaining();
        boolean right;
        if (known && offset % BLOCK == 0 && (end % BLOCK == 0 || end == size)) {
            right = readFully(chunk, to.slice(), offset) && sumsAreRight(firstBlocks[chunk] + offset / BLOCK, to);
            if (right) {
                to.position(to.limit());
            }
        } else if (known) {
            right = readBlocks(chunk, offset, to);
        } else {
            right = readUnknown(chunk, offset, to, check);
        }
        if (!right) {
            drop(chunk);
        }
        return right;
    }

    /** A part that is not whole blocks, which are read to be checked. */
    private boolean readBlocks(int chunk, int offset, ByteBuffer to) throws IOException {
        int begin = offset / BLOCK * BLOCK;
        int end = (int) Math.min(table.size(chunk), ((long) offset + to.remaining() + BLOCK - 1) / BLOCK * BLOCK);
        try (ChunkBuffers.Lease lease = buffers.take(end - begin)) {
            ByteBuffer blocks = lease.bytes();
            if (!readFully(chunk, blocks.slice(), begin) || !sumsAreRight(firstBlocks[chunk] + begin / BLOCK, blocks)) {
                return false;
            }
            to.put(blocks.slice(offset - begin, to.remaining()));
            return true;
        }
    }

    private boolean readUnknown(int chunk, int offset, ByteBuffer to, Check check) throws IOException {
        try (ChunkBuffers.Lease lease = buffers.take(table.size(chunk))) {
            ByteBuffer bytes = lease.bytes();
            if (!readFully(chunk, bytes.slice(), 0) || !check.passes(chunk, bytes.slice())) {
                return false;
            }
            sum(chunk, bytes);
            lock.lock();
            try {
                // It may have gone since it was read.
                checked.set(chunk, present.get(chunk));
            } finally {
                lock.unlock();
            }
            to.put(bytes.slice(offset, to.remaining()));
            return true;
        }
    }

    private boolean readFully(int chunk, ByteBuffer buffer, int offset) throws IOException {
        FileChannel file = data(chunk);
        long position = table.position(chunk) + offset;
        while (buffer.hasRemaining()) {
            if (file.read(buffer, position + buffer.position()) < 0) {
                return false;
            }
        }
        return true;
    }

    /** @param first number of the checksum of the first block in {@code bytes} */
    private boolean sumsAreRight(int first, ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        for (int block = 0; block < blocks(bytes.remaining()); block++) {
            if (checksums[first + block] != sum(crc, bytes, block)) {
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
            writing.writeLock().lock();
            try {
                victim = victim();
                if (victim < 0) {
                    return freed;
                }
                // Whoever reads it just now finds zeros, sees that they are wrong, and fetches it.
                FileCalls.punchHole(file(victim), table.position(victim), table.size(victim));
            } finally {
                writing.writeLock().unlock();
            }
            freed += table.size(victim);
            cache.removed(table.size(victim));
        }
        return freed;
    }

    /** The next chunk to give back, which is no longer here; negative at the end of the layer. */
    private int victim() throws IOException {
        lock.lock();
        try {
            if (kept) {
                return -1;
            }
            for (int next = present.nextSetBit(hand); next >= 0; next = present.nextSetBit(hand)) {
                hand = next + 1;
                if (left.get(table.inode(next))) {
                    continue;
                }
                if (used.get(next)) {
                    used.clear(next);
                    continue;
                }
                present.clear(next);
                checked.clear(next);
                writeBit(next);
                return next;
            }
            hand = 0;
            return -1;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() throws IOException {
        cache.remove(this, bytes());
        lock.lock();
        try (data;
                bits) {
            if (!closed) {
                cache.addLeft(-left.stream().mapToLong(this::bytes).sum());
            }
            closed = true;
            for (FileChannel big : bigData) {
                if (big != null) {
                    big.close();
                }
            }
        } finally {
            lock.unlock();
        }
    }
}
