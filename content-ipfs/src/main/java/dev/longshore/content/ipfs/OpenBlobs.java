package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who reads which blob, so that one is freed when its last reader is gone. Some that nobody reads are kept open for the next reader:
 * a client that reads at random opens a blob for each read. Safe for use by many threads.
 */
final class OpenBlobs implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(OpenBlobs.class);

    private static final int MAX_IDLE = 128;

    /** Leaves of all idle ones; some 100 bytes each. */
    private static final int MAX_WEIGHT = 200_000;

    private final Packs packs;
    private final ReentrantLock lock = new ReentrantLock();

    /** Those that are not deleted, the longest unused first. */
    private final LinkedHashMap<Digest, StoredBlob> open = new LinkedHashMap<>(16, 0.75f, true);

    private int weight;

    /** Readers by the id of the blob. */
    private final Map<Long, Integer> readers = new HashMap<>();

    /** Blobs to be purged when their last reader is gone. */
    private final Set<Long> deleted = new HashSet<>();

    OpenBlobs(Packs packs) {
        this.packs = packs;
    }

    /** Opens a blob that nobody has open; empty if its bytes are not here. */
    interface Opener {
        Optional<StoredBlob> open() throws IOException;
    }

    /** Begins to read a blob, if its bytes are here; {@link #release} ends it. */
    Optional<StoredBlob> acquire(Digest digest, Opener opener) throws IOException {
        lock.lock();
        try {
            StoredBlob known = open.get(digest);
            if (known == null) {
                // Under the lock, which deletion needs too: what is found in the map stays until it is open.
                Optional<StoredBlob> opened = opener.open();
                if (opened.isEmpty()) {
                    return opened;
                }
                known = opened.get();
                open.put(digest, known);
                weight += known.weight();
            }
            readers.merge(known.blob().id(), 1, Integer::sum);
            return Optional.of(known);
        } finally {
            lock.unlock();
        }
    }

    void release(StoredBlob blob) throws IOException {
        List<StoredBlob> close = new ArrayList<>();
        Optional<Blob> purge = Optional.empty();
        lock.lock();
        try {
            long id = blob.blob().id();
            boolean last = readers.merge(id, -1, Integer::sum) == 0;
            if (last) {
                readers.remove(id);
                if (deleted.remove(id)) {
                    close.add(blob);
                    purge = Optional.of(blob.blob());
                }
            }
            trim(close);
        } finally {
            lock.unlock();
        }
        closeAll(close);
        if (purge.isPresent()) {
            packs.purge(purge.get());
        }
    }

    private void trim(List<StoredBlob> close) {
        var oldest = open.values().iterator();
        while (oldest.hasNext() && (open.size() > MAX_IDLE || weight > MAX_WEIGHT)) {
            StoredBlob blob = oldest.next();
            if (!readers.containsKey(blob.blob().id())) {
                oldest.remove();
                weight -= blob.weight();
                close.add(blob);
            }
        }
    }

    private static void closeAll(List<StoredBlob> blobs) throws IOException {
        for (StoredBlob blob : blobs) {
            blob.close();
        }
    }

    /** Hides a blob from new readers, and frees it, when its last reader is gone at the latest. */
    void delete(Blob blob) throws IOException {
        packs.map().hide(blob.id()); // who has found it before is counted below
        boolean unread;
        lock.lock();
        try {
            StoredBlob known = open.remove(blob.digest());
            if (known != null) {
                weight -= known.weight();
            }
            unread = !readers.containsKey(blob.id());
            if (unread) {
                if (known != null) {
                    known.close();
                }
            } else {
                deleted.add(blob.id());
            }
        } finally {
            lock.unlock();
        }
        if (unread) {
            packs.purge(blob);
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            for (StoredBlob known : open.values()) {
                try {
                    known.close();
                } catch (IOException e) {
                    log.atWarn().addKeyValue("err", e.toString()).log("cannot close a pack");
                }
            }
            open.clear();
        } finally {
            lock.unlock();
        }
    }
}
