package dev.longshore.stargz.layer;

import dev.longshore.estargz.ChunkDecoder;
import dev.longshore.estargz.LayerFormatException;
import dev.longshore.registry.ByteRange;
import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.Chunk;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.Traffic.Purpose;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of one layer: from the store of chunks, and what is not there from the registry. A chunk that several ask for is
 * fetched once. What is fetched is whole streams, those that are wanted at once in one request; each chunk is verified and stored, and
 * those who wait for it go on, while the next still comes.
 */
final class LayerContent implements FileData, AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LayerContent.class);

    /** Of all digests of chunks. */
    private static final String ALGORITHM = "sha256";

    /** How often a chunk is fetched that is there and gone, as happens when the cache is far too small. */
    private static final int MAX_ATTEMPTS = 4;

    private final LayerIndex index;
    private final ChunkTable table;
    private final ChunkStore store;
    private final LayerBlob blob;
    private final Compression compression;
    private final Traffic traffic;
    private final Executor fetchers;
    private final Semaphore memory;
    private final ChunkBuffers buffers;
    private final FetchWindow window;

    /** Chunks that are being fetched; done when they are in the store, or among {@code unkept}. */
    private final Map<Integer, CompletableFuture<Void>> coming = new ConcurrentHashMap<>();

    private final LongAdder fetched = new LongAdder();
    private final RecentChunks unkept = new RecentChunks();
    private final AtomicBoolean diskWorks = new AtomicBoolean(true);
    private final ReentrantLock counting = new ReentrantLock();

    // Guarded by counting: chunks by their numbers.
    private final BitSet prefetched = new BitSet();

    /**
     * @param fetchers for requests; whoever reads waits for them
     * @param memory a permit for each MiB that all layers together may have in memory on its way to the disk
     * @param buffers where that is
     */
    LayerContent(
            LayerIndex index,
            ChunkTable table,
            ChunkStore store,
            LayerBlob blob,
            Compression compression,
            Traffic traffic,
            Executor fetchers,
            Semaphore memory,
            ChunkBuffers buffers) {
        this.index = index;
        this.table = table;
        this.store = store;
        this.blob = blob;
        this.compression = compression;
        this.traffic = traffic;
        this.fetchers = fetchers;
        this.memory = memory;
        this.buffers = buffers;
        this.window = new FetchWindow(index, table, store);
    }

    /** Compressed bytes that came from the registry since this process has the layer. */
    long fetched() {
        return fetched.sum();
    }

    /** Compressed bytes of the streams with chunks that are here, as far as one chunk of each is looked at. */
    long presentBlobBytes() {
        long sum = 0;
        for (int first = 0; first < table.count(); ) {
            int next = table.streamEnd(first);
            if (store.has(first)) {
                sum += index.blobEnd(first) - index.blobOffset(first);
            }
            first = next;
        }
        return sum;
    }

    PrefetchUse prefetchUse() {
        counting.lock();
        try {
            long bytes = 0;
            long used = 0;
            long last = -1;
            for (int number = prefetched.nextSetBit(0); number >= 0; number = prefetched.nextSetBit(number + 1)) {
                if (index.blobOffset(number) == last) {
                    continue;
                }
                last = index.blobOffset(number);
                long size = index.blobEnd(number) - last;
                bytes += size;
                if (window.wasRead(number, table.streamEnd(number))) {
                    used += size;
                }
            }
            return new PrefetchUse(bytes, used);
        } finally {
            counting.unlock();
        }
    }

    /** Bytes that the chunks take on the disk. */
    long bytesOnDisk() {
        return store.bytes();
    }

    /** See {@link ChunkStore#keepFile}. */
    Optional<Path> keepFile(int inode) {
        return store.keepFile(inode);
    }

    /** See {@link ChunkStore#keepTold}. */
    void keepTold(int inode) {
        store.keepTold(inode);
    }

    /** Whether no chunk is given back to the disk, however little room is left. */
    void keep(boolean all) {
        store.keep(all);
    }

    boolean complete() {
        return store.nextMissing(0) == table.count();
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to) throws IOException {
        read(inode, offset, to, new CompletableFuture<>());
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to, CompletableFuture<Void> gone) throws IOException {
        try {
            forEachPart(inode, offset, to, (chunk, within, part) -> read(chunk, within, part, gone));
        } catch (IOException e) {
            traffic.failure();
            throw e;
        }
    }

    @Override
    public boolean readLocal(int inode, long offset, ByteBuffer to) throws IOException {
        int begin = to.position();
        if (!forEachPart(inode, offset, to, (chunk, within, part) -> fromStore(chunk.number(), within, part))) {
            to.position(begin);
            return false;
        }
        traffic.hit();
        return true;
    }

    private interface PartReader {
        /** Fills {@code to}, up to its limit, with bytes of a chunk; false to end there. */
        boolean read(Chunk chunk, int within, ByteBuffer to) throws IOException;
    }

    private boolean forEachPart(int inode, long offset, ByteBuffer to, PartReader reader) throws IOException {
        int limit = to.limit();
        try {
            for (long at = offset; to.position() < limit; ) {
                Chunk chunk = index.chunk(inode, at);
                if (window.read(chunk)) {
                    fetchAhead(chunk);
                }
                int within = (int) (at - chunk.fileOffset());
                int length = (int) Math.min(limit - to.position(), chunk.size() - within);
                to.limit(to.position() + length);
                if (!reader.read(chunk, within, to)) {
                    return false;
                }
                at += length;
            }
            return true;
        } finally {
            to.limit(limit);
        }
    }

    private boolean read(Chunk chunk, int within, ByteBuffer to, CompletableFuture<Void> gone) throws IOException {
        if (fromStore(chunk.number(), within, to)) {
            traffic.hit();
            return true;
        }
        traffic.miss();
        traffic.beginDemand();
        long began = System.nanoTime();
        try {
            onDemand(chunk, within, to, gone);
            return true;
        } finally {
            traffic.endDemand(Duration.ofNanos(System.nanoTime() - began));
        }
    }

    /** A disk that does not work is as good as one without the chunk. */
    private boolean fromStore(int number, int within, ByteBuffer to) {
        Optional<byte[]> kept = diskWorks.get() ? Optional.empty() : unkept.find(number);
        if (kept.isPresent()) {
            to.put(kept.get(), within, to.remaining());
            return true;
        }
        try {
            return store.read(number, within, to, this::passes);
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", blob).setCause(e).log("cannot read the cache of chunks");
            return false;
        }
    }

    private boolean passes(int number, ByteBuffer bytes) {
        // Without a digest nothing says whether what an earlier process has left is right.
        return index.hasDigest(number) && matches(number, bytes, Digest.digester(ALGORITHM));
    }

    private boolean matches(int number, ByteBuffer bytes, MessageDigest digester) {
        digester.update(bytes);
        return index.isDigest(number, digester.digest());
    }

    private void onDemand(Chunk chunk, int within, ByteBuffer to, CompletableFuture<Void> gone) throws IOException {
        for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
            CompletableFuture<Void> promise = coming.get(chunk.number());
            if (promise == null) {
                // It may have come since it was looked for.
                if (fromStore(chunk.number(), within, to)) {
                    return;
                }
                // What is before it may be somebody else's by the time that it is claimed; then the chunk alone counts.
                int first = attempt == 1 ? begin(chunk) : table.streamStart(chunk.number());
                long bytes = Math.max(window.of(chunk), chunk.blobEnd() - index.blobOffset(first));
                List<Claim> claims = claim(first, bytes);
                if (!claims.isEmpty()) {
                    promise = coming.get(chunk.number());
                    begin(claims);
                }
                if (promise == null) {
                    promise = coming.get(chunk.number());
                }
            }
            if (promise != null) {
                await(promise, gone);
                if (fromStore(chunk.number(), within, to)) {
                    return;
                }
            }
        }
        throw new IOException("a chunk of %s is gone as soon as it is here: the cache is too small".formatted(blob));
    }

    /**
     * The chunk to fetch from when {@code chunk} is missing. Small files are seldom read in the blob's order, and those of a program are
     * often in two folders, one in the other.
     */
    private int begin(Chunk chunk) {
        int folder = index.parent(chunk.inode());
        int first = table.streamStart(chunk.number());
        while (first > 0
                && isNear(folder, index.parent(table.inode(first - 1)))
                && !store.has(first - 1)
                && !coming.containsKey(first - 1)) {
            int before = table.streamStart(first - 1);
            if (chunk.blobOffset() - index.blobOffset(before) > FetchWindow.BEFORE) {
                break;
            }
            first = before;
        }
        return first;
    }

    private boolean isNear(int folder, int other) {
        return folder == other || index.parent(folder) == other || index.parent(other) == folder;
    }

    /** Of a file that is read from one end to the other, what is behind {@code chunk}, while the reader is busy with that. */
    private void fetchAhead(Chunk chunk) {
        int end = table.end(chunk.inode());
        long ahead = window.ahead(chunk);
        for (int next = chunk.number() + 1; next < end && index.blobOffset(next) < chunk.blobEnd() + ahead; next++) {
            if (!store.has(next) && !coming.containsKey(next)) {
                // In two requests, which are decompressed at the same time.
                List<Claim> claims = claim(
                        table.streamStart(next), Math.min(ahead / 2, index.blobEnd(end - 1) - index.blobOffset(next)));
                if (!claims.isEmpty()) {
                    begin(claims);
                }
            }
        }
    }

    private void begin(List<Claim> claims) {
        try {
            fetchers.execute(() -> onDemand(claims));
        } catch (RuntimeException | Error e) {
            // The program ends, or there is no thread to be had: nobody would keep what was promised.
            fail(claims, e);
            throw e;
        }
    }

    private void fail(List<Claim> claims, Throwable cause) {
        claims.stream()
                .flatMap(claim -> claim.chunks.stream())
                .forEach(chunk -> Optional.ofNullable(coming.remove(chunk))
                        .ifPresent(promise -> promise.completeExceptionally(cause)));
    }

    private void onDemand(List<Claim> claims) {
        try {
            fetch(claims, Purpose.ON_DEMAND);
        } catch (IOException | RuntimeException e) {
            // Those who wait have got it; whoever asks next tries again.
            log.atDebug().addKeyValue("layer", blob).setCause(e).log("cannot fetch");
        }
    }

    private void await(CompletableFuture<Void> promise, CompletableFuture<Void> gone) throws IOException {
        try {
            CompletableFuture.anyOf(promise, gone).get();
            if (gone.isDone()) {
                throw new InterruptedIOException("nobody waits for bytes of %s any more".formatted(blob));
            }
        } catch (ExecutionException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            throw new IOException(cause.getMessage(), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while waiting for " + blob).initCause(e);
        }
    }

    /** A stream that nobody else fetches now, with those of its chunks that are promised. */
    private record Claim(long begin, long end, List<Integer> chunks) {}

    /**
     * Promises the chunks of streams that follow each other from chunk {@code first} on, up to one that is here or is coming.
     *
     * @param window compressed bytes; the first stream is taken whatever its size
     */
    private List<Claim> claim(int first, long window) {
        List<Claim> claims = new ArrayList<>();
        long bytes = 0;
        for (int next = first; next < table.count() && (claims.isEmpty() || bytes < window); ) {
            int end = table.streamEnd(next);
            Chunk chunk = table.chunk(next);
            long size = chunk.blobEnd() - chunk.blobOffset();
            if (!claims.isEmpty() && (store.has(next) || bytes + size > window)) {
                break;
            }
            Claim claim = new Claim(chunk.blobOffset(), chunk.blobEnd(), new ArrayList<>());
            for (int number = next; number < end; number++) {
                if (coming.putIfAbsent(number, new CompletableFuture<>()) == null) {
                    claim.chunks.add(number);
                }
            }
            if (claim.chunks.isEmpty()) {
                break;
            }
            claims.add(claim);
            bytes += size;
            next = end;
        }
        return claims;
    }

    private void fetch(List<Claim> claims, Purpose purpose) throws IOException {
        int[] done = {0};
        try {
            boolean again = true;
            while (done[0] < claims.size()) {
                try {
                    request(claims, done, purpose);
                } catch (BadLayerException e) {
                    // A proxy on the way may have been at fault, or the disk of one of several servers.
                    if (!again) {
                        throw e;
                    }
                    again = false;
                }
            }
        } catch (IOException | RuntimeException | Error e) {
            // Also for want of memory: who reads must not wait for ever.
            fail(claims.subList(done[0], claims.size()), e);
            throw e;
        }
    }

    private void request(List<Claim> claims, int[] done, Purpose purpose) throws IOException {
        List<ByteRange> streams = claims.subList(done[0], claims.size()).stream()
                .map(claim -> new ByteRange(claim.begin, claim.end))
                .toList();
        traffic.request();
        blob.read(Stretches.of(streams), (range, in) -> take(claims, done, range, in, purpose));
    }

    /** Takes streams as they come; {@code done} counts those that are finished, which are not looked at again. */
    private void take(List<Claim> claims, int[] done, ByteRange range, InputStream in, Purpose purpose)
            throws IOException {
        MessageDigest digester = Digest.digester(ALGORITHM);
        try (ChunkDecoder decoder = ChunkDecoder.of(compression, in)) {
            long position = range.begin();
            while (done[0] < claims.size() && claims.get(done[0]).end <= range.end()) {
                Claim claim = claims.get(done[0]);
                long length = claim.end - claim.begin;
                in.skipNBytes(claim.begin - position);
                keep(claim, decoder, digester);
                fetched.add(length);
                traffic.fetched(purpose, length);
                if (purpose == Purpose.PREFETCH) {
                    countPrefetched(claim);
                }
                position = claim.end;
                done[0]++;
            }
        }
    }

    private void countPrefetched(Claim claim) {
        counting.lock();
        try {
            claim.chunks.forEach(prefetched::set);
        } finally {
            counting.unlock();
        }
    }

    private void acquire(int permits) throws IOException {
        try {
            memory.acquire(permits);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while fetching " + blob).initCause(e);
        }
    }

    private void keep(Claim claim, ChunkDecoder decoder, MessageDigest digester) throws IOException {
        try {
            decoder.begin(claim.end - claim.begin);
        } catch (LayerFormatException e) {
            throw damaged(table.chunk(claim.chunks.getFirst()), e);
        }
        for (int number : claim.chunks) {
            if (coming.containsKey(number)) {
                int permits = (table.size(number) >> 20) + 1;
                acquire(permits);
                try (ChunkBuffers.Lease lease = buffers.take(table.size(number))) {
                    decode(table.chunk(number), decoder, digester, lease.bytes());
                    store(number, lease.bytes());
                } finally {
                    memory.release(permits);
                }
                Optional.ofNullable(coming.remove(number)).ifPresent(promise -> promise.complete(null));
            }
        }
        decoder.end();
    }

    /** What the disk does not take is remembered for a while, as a chunk is read in many parts. */
    private void store(int number, ByteBuffer bytes) {
        try {
            store.put(number, bytes);
            if (!diskWorks.getAndSet(true)) {
                log.atInfo().addKeyValue("layer", blob).log("chunks are kept again");
            }
        } catch (IOException e) {
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(bytes.position(), copy);
            unkept.put(number, copy);
            if (diskWorks.getAndSet(false)) {
                log.atWarn()
                        .addKeyValue("layer", blob)
                        .setCause(e)
                        .log("cannot keep chunks: they are fetched each time");
            }
        }
    }

    /** Fills {@code bytes} with a chunk that is what the table of contents promises. */
    private void decode(Chunk chunk, ChunkDecoder decoder, MessageDigest digester, ByteBuffer bytes)
            throws IOException {
        try {
            decoder.read(chunk.innerOffset(), bytes.slice());
        } catch (LayerFormatException e) {
            throw damaged(chunk, e);
        }
        if (index.hasDigest(chunk.number()) && !matches(chunk.number(), bytes.slice(), digester)) {
            traffic.mismatch();
            throw new BadLayerException(what(chunk)
                    + " are not what the image's table of contents promises: the layer was changed in the registry");
        }
    }

    private BadLayerException damaged(Chunk chunk, LayerFormatException cause) {
        traffic.mismatch();
        return new BadLayerException(what(chunk) + " are damaged: " + cause.getMessage(), cause);
    }

    private String what(Chunk chunk) {
        return "bytes %d to %d of %s in %s"
                .formatted(chunk.fileOffset(), chunk.fileOffset() + chunk.size(), index.path(chunk.inode()), blob);
    }

    /** Fetches what is missing of the streams that begin before byte {@code end} of the blob, in as few requests as can be. */
    void prefetch(long end) throws IOException {
        ahead(0, end, Purpose.PREFETCH, Long.MAX_VALUE);
    }

    /**
     * Fetches some of what is missing.
     *
     * @param from number of a chunk
     * @return the number of a chunk to go on with; the number of all chunks if nothing is missing behind {@code from}
     */
    int background(int from, long window) throws IOException {
        int first = store.nextMissing(from);
        if (first < table.count()) {
            return ahead(first, Long.MAX_VALUE, Purpose.BACKGROUND, window);
        }
        return table.count();
    }

    /** Waits until what others fetch just now is here, or cannot be had. */
    void settle() throws InterruptedException {
        for (CompletableFuture<Void> promise : List.copyOf(coming.values())) {
            try {
                promise.get();
            } catch (ExecutionException e) {
                log.atTrace().addKeyValue("layer", blob).setCause(e).log("others have failed to fetch");
            }
        }
    }

    /** @param end of the blob: streams that begin there or later are not wanted */
    private int ahead(int from, long end, Purpose purpose, long window) throws IOException {
        int next = store.nextMissing(from);
        long bytes = 0;
        while (next < table.count() && index.blobOffset(next) < end && bytes < window) {
            List<Claim> claims = new ArrayList<>();
            for (int stretches = 0;
                    stretches < Stretches.MOST
                            && next < table.count()
                            && index.blobOffset(next) < end
                            && bytes < window;
                    stretches++) {
                List<Claim> more =
                        claim(table.streamStart(next), Math.min(window - bytes, end - index.blobOffset(next)));
                // If there are none, somebody else is at it.
                int last = more.isEmpty()
                        ? table.streamEnd(next)
                        : more.getLast().chunks.getLast() + 1;
                bytes += more.isEmpty() ? 0 : more.getLast().end - more.getFirst().begin;
                claims.addAll(more);
                next = store.nextMissing(last);
            }
            if (!claims.isEmpty()) {
                fetch(claims, purpose);
            }
        }
        return next;
    }

    @Override
    public void close() throws IOException {
        blob.close();
        store.close();
    }
}
