package dev.longshore.daemon.metadata;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.UnavailableException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps a blob from being removed while its row is being written, and from being given a row while it is being removed.
 * Blobs come again under the same digest, so their rows alone cannot tell.
 */
final class BlobHolds {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition removed = lock.newCondition();
    private final Map<Digest, Integer> held = new HashMap<>();
    private final Set<Digest> removing = new HashSet<>();

    /** Holds a blob, after any removal of it that is under way. */
    void hold(Digest digest, Deadline deadline) {
        lock.lock();
        try {
            while (removing.contains(digest)) {
                if (!removed.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)
                        && deadline.remaining().isZero()) {
                    throw new UnavailableException("content %s is being removed: try again".formatted(digest));
                }
            }
            held.merge(digest, 1, Integer::sum);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting for content " + digest, e);
        } finally {
            lock.unlock();
        }
    }

    void release(Digest digest) {
        lock.lock();
        try {
            held.computeIfPresent(digest, (key, count) -> count == 1 ? null : count - 1);
        } finally {
            lock.unlock();
        }
    }

    /** Whether the blob may be removed now, as far as holds are concerned; to be ended with {@link #endRemoval}. */
    boolean beginRemoval(Digest digest) {
        lock.lock();
        try {
            return !held.containsKey(digest) && removing.add(digest);
        } finally {
            lock.unlock();
        }
    }

    void endRemoval(Digest digest) {
        lock.lock();
        try {
            removing.remove(digest);
            removed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
