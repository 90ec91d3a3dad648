package dev.longshore.daemon.transfer;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.errors.CanceledException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A blob that is being fetched, for one who reads it meanwhile. What is read is not verified: whoever makes something of it must not let it
 * count before the fetch has ended well. One thread fetches, others wait.
 */
final class Arrival {

    private final long size;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /** What of the blob is written; null before there is anything, and once somebody has it. */
    private @Nullable ContentReader written;

    private long arrived;
    private boolean ended;
    private Optional<RuntimeException> failure = Optional.empty();

    /** @param size bytes of the blob */
    Arrival(long size) {
        this.size = size;
    }

    /** @param reader of what is written and will be; goes over to this */
    void begins(ContentReader reader) {
        lock.lock();
        try {
            written = reader;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** @param count bytes that have been written */
    void advance(long count) {
        lock.lock();
        try {
            arrived += count;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** @param why nothing more comes; empty if the blob is there */
    void ended(Optional<RuntimeException> why) {
        lock.lock();
        try {
            ended = true;
            failure = why;
            if (written != null) {
                written.close();
                written = null;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean hasEnded() {
        lock.lock();
        try {
            return ended;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the fetch has begun, or ended. */
    void await() throws InterruptedException {
        lock.lock();
        try {
            while (!ended && written == null) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Reads the blob as it comes; empty if it is not coming, cannot be read until it is whole, or somebody else reads it. */
    Optional<ContentReader> take() {
        lock.lock();
        try {
            Optional<ContentReader> reader = Optional.ofNullable(written).map(Arriving::new);
            written = null;
            return reader;
        } finally {
            lock.unlock();
        }
    }

    private final class Arriving implements ContentReader {

        private final ContentReader reader;

        Arriving(ContentReader reader) {
            this.reader = reader;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public int read(ByteBuffer buffer, long offset) {
            if (offset >= size) {
                return -1;
            }
            long there = awaitBehind(offset) - offset;
            ByteBuffer part = buffer.duplicate();
            part.limit((int) Math.min(buffer.limit(), buffer.position() + there));
            int count = reader.read(part, offset);
            buffer.position(part.position());
            return count;
        }

        /** @return how many bytes are there, more than {@code offset} */
        private long awaitBehind(long offset) {
            lock.lock();
            try {
                while (!ended && arrived <= offset) {
                    changed.await();
                }
                if (failure.isPresent()) {
                    throw failure.get();
                }
                return ended ? size : arrived;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CanceledException("interrupted while waiting for a layer's bytes", e);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            reader.close();
        }
    }
}
