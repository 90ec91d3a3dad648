package dev.longshore.stargz.layer;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The room that all layers have on the disk. When it is used up, a hand goes around over all chunks: what was read since it came by last
 * stays, the rest goes (the clock algorithm). Images of layers stay, so they may have half of it; files that are left to the kernel stay,
 * too, and both may have three quarters. Safe for use by many threads.
 */
public final class ChunkCache {

    private static final Logger log = LoggerFactory.getLogger(ChunkCache.class);

    /** Of the room, freed at once: 1/16. */
    private static final int SHARE = 16;

    private final long limit;
    private final ReentrantLock lock = new ReentrantLock();
    private final ReentrantLock evicting = new ReentrantLock();

    // Guarded by lock.
    private final Deque<ChunkStore> stores = new ArrayDeque<>();
    private long bytes;
    private long images;
    private boolean held;

    /** Of {@code bytes}, those of files that are left to the kernel. */
    private long left;

    /** @param limit uncompressed bytes of all chunks; a little more for a moment */
    public ChunkCache(long limit) {
        this.limit = limit;
    }

    /** Uncompressed bytes that are here. */
    public long bytes() {
        lock.lock();
        try {
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    void add(ChunkStore store, long stored) {
        lock.lock();
        try {
            stores.addLast(store);
            bytes += stored;
        } finally {
            lock.unlock();
        }
    }

    void remove(ChunkStore store, long stored) {
        lock.lock();
        try {
            if (stores.remove(store)) {
                bytes -= stored;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Whether nothing is given back, however much there is: it is not known yet what must be left as it is. */
    void hold(boolean all) {
        lock.lock();
        try {
            held = all;
        } finally {
            lock.unlock();
        }
    }

    /** Takes the room for a file that is here and stays; false if all that stays would have more than its part. */
    boolean leave(long count) {
        lock.lock();
        try {
            if (images + left + count > limit / 4 * 3) {
                return false;
            }
            left += count;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** A file that has to stay, whether there is room or not; with a minus, one that need not any more. */
    void addLeft(long count) {
        lock.lock();
        try {
            left += count;
        } finally {
            lock.unlock();
        }
    }

    /** An image that is there already. */
    void addImage(long count) {
        lock.lock();
        try {
            images += count;
            bytes += count;
        } finally {
            lock.unlock();
        }
    }

    void removeImage(long count) {
        addImage(-count);
    }

    /** Takes the room for an image; false if images would have more than their half, or all that stays more than its part. */
    boolean reserveImage(long count) {
        lock.lock();
        try {
            if (images + count > limit / 2 || images + left + count > limit / 4 * 3) {
                return false;
            }
            images += count;
        } finally {
            lock.unlock();
        }
        stored(count);
        return true;
    }

    void removed(long count) {
        lock.lock();
        try {
            bytes -= count;
        } finally {
            lock.unlock();
        }
    }

    /** Makes room where too much is taken. */
    void stored(long count) {
        lock.lock();
        try {
            bytes += count;
            if (bytes <= limit || held) {
                return;
            }
        } finally {
            lock.unlock();
        }
        if (evicting.tryLock()) {
            try {
                evict();
            } catch (IOException e) {
                log.atWarn().setCause(e).log("cannot make room in the cache of chunks");
            } finally {
                evicting.unlock();
            }
        }
    }

    private void evict() throws IOException {
        long goal = limit - limit / SHARE;
        // Twice around: the first time may find that everything was read.
        for (int steps = 2 * size() + 2; steps > 0; steps--) {
            ChunkStore store;
            long excess;
            lock.lock();
            try {
                excess = bytes - goal;
                store = stores.peekFirst();
            } finally {
                lock.unlock();
            }
            if (excess <= 0 || store == null) {
                return;
            }
            if (store.evict(excess) < excess) {
                rotate(store);
            }
        }
    }

    private int size() {
        lock.lock();
        try {
            return stores.size();
        } finally {
            lock.unlock();
        }
    }

    private void rotate(ChunkStore store) {
        lock.lock();
        try {
            if (stores.remove(store)) {
                stores.addLast(store);
            }
        } finally {
            lock.unlock();
        }
    }
}
