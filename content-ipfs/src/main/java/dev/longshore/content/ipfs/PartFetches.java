package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.DagReader;
import dev.longshore.ipfs.DagReader.Bytes;
import dev.longshore.ipfs.DagReader.Leaf;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Parts of blobs whose CIDs are known: of what is not here, only the blocks that are read come. They stay for when the whole is brought.
 * Each is what its CID says; whether the CID is that of the blob's digest is not known. Safe for use by many threads.
 */
final class PartFetches implements AutoCloseable {

    /** Blocks of one read that are asked for at a time. */
    private static final int WINDOW = 8;

    /** Blobs whose nodes stay in memory; those of one have some MB at most. */
    private static final int MAX_DAGS = 16;

    /** For a block, whoever still waits for it: who asks for it again has it then. Sources have limits of their own. */
    private static final Duration BLOCK_TIMEOUT = Duration.ofMinutes(2);

    private final Fetches fetches;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** Blocks that somebody fetches. */
    private final Map<Cid, Future<ByteBuffer>> coming = new ConcurrentHashMap<>();

    private final ReentrantLock lock = new ReentrantLock();

    /** Guarded by {@code lock}; the longest unused first. */
    private final LinkedHashMap<Digest, DagReader> dags = new LinkedHashMap<>(16, 0.75f, true);

    PartFetches(Fetches fetches) {
        this.fetches = fetches;
    }

    /** As {@code ContentReader#read}. */
    int read(Blob blob, ByteBuffer buffer, long offset, Deadline deadline) throws IOException {
        if (offset >= blob.size()) {
            return -1;
        }
        DagReader dag = dag(blob, deadline);
        long end = Math.min(blob.size(), offset + buffer.remaining());
        long position = offset;
        long asked = offset;
        Queue<Piece> window = new ArrayDeque<>();
        while (position < end) {
            while (window.size() < WINDOW && asked < end) {
                Piece piece = piece(blob, dag, asked, deadline);
                window.add(piece);
                asked = piece.end();
            }
            Piece piece = window.remove();
            int skip = (int) (position - piece.begin());
            int count = (int) (Math.min(piece.end(), end) - position);
            buffer.put(await(piece, deadline).slice(skip, count));
            position += count;
        }
        return (int) (end - offset);
    }

    private DagReader dag(Blob blob, Deadline deadline) throws IOException {
        lock.lock();
        try {
            DagReader known = dags.get(blob.digest());
            if (known != null) {
                return known;
            }
        } finally {
            lock.unlock();
        }
        DagReader opened = fetches.open(blob.digest(), blob.cid(), blob.size(), deadline);
        lock.lock();
        try {
            dags.put(blob.digest(), opened);
            if (dags.size() > MAX_DAGS) {
                dags.pollFirstEntry();
            }
        } finally {
            lock.unlock();
        }
        return opened;
    }

    /** Forgets a blob that is deleted: it may come again under another CID. */
    void forget(Digest digest) {
        lock.lock();
        try {
            dags.remove(digest);
        } finally {
            lock.unlock();
        }
    }

    /** Bytes of a blob that come in one. */
    private record Piece(long begin, long end, Future<ByteBuffer> bytes) {}

    private Piece piece(Blob blob, DagReader dag, long offset, Deadline deadline) throws IOException {
        return switch (dag.find(offset, deadline)) {
            case Bytes(long begin, ByteBuffer bytes) ->
                new Piece(begin, begin + bytes.remaining(), CompletableFuture.completedFuture(bytes));
            case Leaf leaf ->
                new Piece(
                        leaf.offset(),
                        leaf.offset() + leaf.size(),
                        coming.computeIfAbsent(leaf.cid(), _ -> threads.submit(() -> fetch(blob, leaf))));
        };
    }

    private ByteBuffer fetch(Blob blob, Leaf leaf) throws IOException {
        try {
            return ByteBuffer.wrap(fetches.leaf(blob, leaf, Deadline.after(BLOCK_TIMEOUT)));
        } finally {
            coming.remove(leaf.cid());
        }
    }

    private static ByteBuffer await(Piece piece, Deadline deadline) throws IOException {
        try {
            return piece.bytes().get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new IOException("bytes %d to %d did not come in time".formatted(piece.begin(), piece.end()), e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while fetching a block");
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
