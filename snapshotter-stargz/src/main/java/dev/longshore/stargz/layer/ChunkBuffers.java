package dev.longshore.stargz.layer;

import dev.longshore.sdk.linux.NativeBuffer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Memory outside of the heap for chunks on their way to the disk, used again: what would be megabytes of garbage for each chunk costs a
 * collector more than decompressing them. A few pieces of two sizes are kept, others are freed after use. Safe for use by many threads.
 */
final class ChunkBuffers {

    private static final int SMALL = 64 << 10;
    private static final int SMALL_KEPT = 8;

    /** The chunks that converters make, at most. */
    private static final int LARGE = 4 << 20;

    private static final int LARGE_KEPT = 3;

    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock.
    private final Deque<NativeBuffer> small = new ArrayDeque<>();
    private final Deque<NativeBuffer> large = new ArrayDeque<>();

    /** Memory for one thread, until it is closed. */
    final class Lease implements AutoCloseable {

        private final NativeBuffer buffer;
        private final ByteBuffer bytes;

        private Lease(NativeBuffer buffer, int size) {
            this.buffer = buffer;
            this.bytes = buffer.bytes().duplicate().clear().limit(size);
        }

        /** As many bytes as were asked for; what is in them is left from an earlier use. */
        ByteBuffer bytes() {
            return bytes;
        }

        @Override
        public void close() {
            giveBack(buffer);
        }
    }

    Lease take(int size) {
        NativeBuffer kept = null;
        if (size <= LARGE) {
            lock.lock();
            try {
                kept = (size <= SMALL ? small : large).pollFirst();
            } finally {
                lock.unlock();
            }
        }
        if (kept != null) {
            return new Lease(kept, size);
        }
        return new Lease(new NativeBuffer(size <= SMALL ? SMALL : Math.max(size, LARGE)), size);
    }

    private void giveBack(NativeBuffer buffer) {
        lock.lock();
        try {
            if (buffer.size() == SMALL && small.size() < SMALL_KEPT) {
                small.addFirst(buffer);
                return;
            }
            if (buffer.size() == LARGE && large.size() < LARGE_KEPT) {
                large.addFirst(buffer);
                return;
            }
        } finally {
            lock.unlock();
        }
        buffer.close();
    }
}
