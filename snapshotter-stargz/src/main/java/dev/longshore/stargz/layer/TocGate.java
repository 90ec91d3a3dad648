package dev.longshore.stargz.layer;

import dev.longshore.estargz.TocEntry;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DeadlineExceededException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Bounds the memory that tables of contents take while they are read, however many come at once: a few may be small, and one of them may
 * become large. Safe for use by many threads.
 */
final class TocGate {

    private static final int SMALL = 4;

    /** Bytes in memory of a small one. */
    private static final long SMALL_BYTES = 8 << 20;

    /** Bytes in memory of an entry without its texts: inode, name, chunk, stream, places in tables. */
    private static final int ENTRY = 200;

    private final Semaphore places = new Semaphore(SMALL);
    private final Semaphore largePlace = new Semaphore(1);

    /** Waits for a place to read a table at. */
    Place enter(Deadline deadline) throws InterruptedException {
        acquire(places, deadline);
        return new Place(deadline);
    }

    private static void acquire(Semaphore semaphore, Deadline deadline) throws InterruptedException {
        if (!semaphore.tryAcquire(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
            throw new DeadlineExceededException(
                    "too many large tables of contents are read at the same time: pull the image again");
        }
    }

    /** Where one table is read, by one thread. */
    final class Place implements AutoCloseable {

        private final Deadline deadline;
        private long bytes;
        private boolean large;

        private Place(Deadline deadline) {
            this.deadline = deadline;
        }

        /** Waits, before an entry is kept, until there is room for it. */
        void count(TocEntry entry) {
            bytes += ENTRY + entry.name().length() + entry.linkName().length();
            if (!entry.xattrs().isEmpty()) {
                for (byte[] value : entry.xattrs().values()) {
                    bytes += value.length;
                }
            }
            if (bytes > SMALL_BYTES && !large) {
                try {
                    acquire(largePlace, deadline);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new DeadlineExceededException("reading a table of contents was given up", e);
                }
                large = true;
            }
        }

        @Override
        public void close() {
            if (large) {
                largePlace.release();
            }
            places.release();
        }
    }
}
