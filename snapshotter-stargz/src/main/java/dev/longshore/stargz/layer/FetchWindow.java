package dev.longshore.stargz.layer;

import dev.longshore.stargz.index.Chunk;
import dev.longshore.stargz.index.LayerIndex;
import java.util.BitSet;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How much of a layer is fetched when a chunk is missing, from what was read before. A request costs a registry milliseconds, so that
 * little is asked for at a time only as long as nothing says that more of it will be used. Safe for use by many threads.
 */
final class FetchWindow {

    /** Compressed bytes of a request at least, if so much is missing: small files beside each other are read one after another. */
    static final long LEAST = 48 << 10;

    /** Those of them that may be before what is asked for. */
    static final long BEFORE = 16 << 10;

    /** Compressed bytes of a request at most, but for a stream that is larger. */
    static final long LARGEST = 8 << 20;

    /** Compressed bytes of a request at most for what is left of a folder that is probably read as a whole. */
    private static final long FOLDER = 512 << 10;

    /** Chunks of a folder that says something about others, at least. */
    private static final int FEW_CHUNKS = 8;

    /** Chunks of a folder that are looked at. */
    private static final int FOLDER_CHUNKS = 4096;

    private final LayerIndex index;
    private final ChunkTable table;
    private final ChunkStore store;
    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock: chunks by their numbers.
    private final BitSet read = new BitSet();
    private int folder;
    private int folderBegin;
    private int folderEnd;
    private boolean wholeFolder;

    FetchWindow(LayerIndex index, ChunkTable table, ChunkStore store) {
        this.index = index;
        this.table = table;
        this.store = store;
    }

    /**
     * Somebody reads of a chunk.
     *
     * @return whether for the first time, and as the one after another that was read of the same file
     */
    boolean read(Chunk chunk) {
        int number = chunk.number();
        lock.lock();
        try {
            if (read.get(number)) {
                return false;
            }
            read.set(number);
            return number > 0 && read.get(number - 1) && table.inode(number - 1) == chunk.inode();
        } finally {
            lock.unlock();
        }
    }

    /** Whether one of the chunks from {@code from} to, not with, {@code to} was read. */
    boolean wasRead(int from, int to) {
        lock.lock();
        try {
            int next = read.nextSetBit(from);
            return next >= 0 && next < to;
        } finally {
            lock.unlock();
        }
    }

    /** Compressed bytes to fetch from the stream with {@code chunk} on, which is missing. */
    long of(Chunk chunk) {
        int first = table.first(chunk.inode());
        int end = table.end(chunk.inode());
        long rest = index.blobEnd(end - 1) - chunk.blobOffset();
        long inFile = readBefore(chunk.number(), first);
        // A file with no more behind its first chunk than that has: most programs, which are read whole or not at all.
        boolean small = chunk.number() == first && rest <= 2 * (chunk.blobEnd() - chunk.blobOffset());
        if (!small && rest > Math.max(inFile, LEAST)) {
            return Math.min(Math.max(inFile, LEAST), LARGEST);
        }
        // To the file's end, and on as far as the files before it were read in their order.
        long across = first == 0 ? 0 : readBefore(first, 0);
        long window = Math.max(LEAST, rest + Math.min(across, LARGEST));
        return Math.min(Math.max(window, folder(chunk)), LARGEST);
    }

    /** Compressed bytes behind {@code chunk} that should be on their way, when its file is read from one end to the other. */
    long ahead(Chunk chunk) {
        return Math.clamp(
                readBefore(chunk.number(), table.first(chunk.inode())) + chunk.blobEnd() - chunk.blobOffset(),
                LEAST,
                LARGEST);
    }

    /** Compressed bytes of the chunks before {@code number}, and from {@code first} on, that are here and were read, without a gap. */
    private long readBefore(int number, int first) {
        long bytes = 0;
        long last = index.blobOffset(number);
        for (int i = number - 1; i >= first && bytes < LARGEST && store.has(i) && wasRead(i, i + 1); i--) {
            if (index.blobOffset(i) != last) {
                last = index.blobOffset(i);
                bytes += index.blobEnd(i) - last;
            }
        }
        return bytes;
    }

    /**
     * Compressed bytes up to the end of the chunk's folder, if most of the folder was read in which a chunk was missing before: whoever
     * goes through one reads the next one, too. Else 0.
     */
    private long folder(Chunk chunk) {
        lock.lock();
        try {
            enter(index.parent(chunk.inode()), chunk.number());
            if (!wholeFolder) {
                return 0;
            }
            int last = folderEnd - 1;
            while (last > chunk.number() && index.blobEnd(last) - chunk.blobOffset() > FOLDER) {
                last--;
            }
            return index.blobEnd(last) - chunk.blobOffset();
        } finally {
            lock.unlock();
        }
    }

    private void enter(int next, int chunk) {
        if (next == folder && chunk >= folderBegin && chunk < folderEnd) {
            return;
        }
        int chunks = folderEnd - folderBegin;
        wholeFolder =
                chunks >= FEW_CHUNKS && 2 * read.get(folderBegin, folderEnd).cardinality() > chunks;
        folder = next;
        folderBegin = chunk;
        while (folderBegin > Math.max(0, chunk - FOLDER_CHUNKS)
                && index.parent(table.inode(folderBegin - 1)) == folder) {
            folderBegin--;
        }
        folderEnd = chunk + 1;
        while (folderEnd < Math.min(table.count(), chunk + FOLDER_CHUNKS)
                && index.parent(table.inode(folderEnd)) == folder) {
            folderEnd++;
        }
    }
}
