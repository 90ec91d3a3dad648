package dev.longshore.stargz.layer;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/** A few chunks in memory, those that were used last. Safe for use by many threads. */
final class RecentChunks {

    private static final int MAX_BYTES = 16 << 20;

    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock; the one used last is the last.
    private final Map<Integer, byte[]> chunks = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    Optional<byte[]> find(int number) {
        lock.lock();
        try {
            return Optional.ofNullable(chunks.get(number));
        } finally {
            lock.unlock();
        }
    }

    /** One that is too large for all of it is not kept. */
    void put(int number, byte[] chunk) {
        if (chunk.length > MAX_BYTES) {
            return;
        }
        lock.lock();
        try {
            byte[] old = chunks.put(number, chunk);
            bytes += chunk.length - (old == null ? 0 : old.length);
            var oldest = chunks.values().iterator();
            while (bytes > MAX_BYTES) {
                bytes -= oldest.next().length;
                oldest.remove();
            }
        } finally {
            lock.unlock();
        }
    }
}
