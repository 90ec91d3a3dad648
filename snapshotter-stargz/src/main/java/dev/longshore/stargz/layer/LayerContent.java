package dev.longshore.stargz.layer;

import dev.longshore.estargz.ChunkDecoder;
import dev.longshore.estargz.LayerFormatException;
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
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of one layer: from the store of chunks, and what is not there from the registry. A chunk that several ask for is
 * fetched once. What is fetched is whole streams that follow each other in the blob, in one request; each is verified, stored and
 * handed to those who wait while the next still comes.
 */
final class LayerContent implements FileData, AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LayerContent.class);

    /** Compressed bytes of a request at least, if so much is missing: small files beside each other are read one after another. */
    static final long LEAST_REQUEST = 64 << 10;

    /** Compressed bytes of a request at most, but for a stream that is larger. */
    static final long LARGEST_REQUEST = 8 << 20;

    /** How often a chunk is fetched that is there and gone, as happens when the cache is far too small. */
    private static final int MAX_ATTEMPTS = 4;

    private final LayerIndex index;
    private final ChunkTable table;
    private final ChunkStore store;
    private final RemoteBlob blob;
    private final Compression compression;
    private final Traffic traffic;
    private final ExecutorService fetchers;
    private final Semaphore memory;
    private final Map<Integer, CompletableFuture<byte[]>> coming = new ConcurrentHashMap<>();
    private final LongAdder fetched = new LongAdder();
    private final RecentChunks unkept = new RecentChunks();
    private final AtomicBoolean diskWorks = new AtomicBoolean(true);
    private final ReentrantLock counting = new ReentrantLock();

    // Guarded by counting: chunks by their numbers.
    private final BitSet prefetched = new BitSet();
    private final BitSet read = new BitSet();

    /**
     * @param fetchers for requests; whoever reads waits for them
     * @param memory a permit for each MiB that all layers together may have in memory on its way to the disk
     */
    LayerContent(
            LayerIndex index,
            ChunkTable table,
            ChunkStore store,
            RemoteBlob blob,
            Compression compression,
            Traffic traffic,
            ExecutorService fetchers,
            Semaphore memory) {
        this.index = index;
        this.table = table;
        this.store = store;
        this.blob = blob;
        this.compression = compression;
        this.traffic = traffic;
        this.fetchers = fetchers;
        this.memory = memory;
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

    private boolean wasRead(int number) {
        counting.lock();
        try {
            return read.get(number);
        } finally {
            counting.unlock();
        }
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
                int next = read.nextSetBit(number);
                if (next >= 0 && next < table.streamEnd(number)) {
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

    /** Whether no chunk is given back to the disk, however little room is left. */
    void keep(boolean all) {
        store.keep(all);
    }

    boolean complete() {
        return store.nextMissing(0) == table.count();
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to) throws IOException {
        try {
            while (to.hasRemaining()) {
                Part part = part(inode, offset, to);
                to.put(read(part.chunk, part.offset, part.length));
                offset += part.length;
            }
        } catch (IOException e) {
            traffic.failure();
            throw e;
        }
    }

    @Override
    public boolean readLocal(int inode, long offset, ByteBuffer to) {
        int begin = to.position();
        while (to.hasRemaining()) {
            Part part = part(inode, offset, to);
            Optional<ByteBuffer> here = fromStore(part.chunk.number(), part.offset, part.length);
            if (here.isEmpty()) {
                to.position(begin);
                return false;
            }
            to.put(here.get());
            offset += part.length;
        }
        traffic.hit();
        return true;
    }

    /** What of a chunk is wanted. */
    private record Part(Chunk chunk, int offset, int length) {}

    private Part part(int inode, long offset, ByteBuffer to) {
        Chunk chunk = index.chunk(inode, offset);
        counting.lock();
        try {
            read.set(chunk.number());
        } finally {
            counting.unlock();
        }
        int within = (int) (offset - chunk.fileOffset());
        return new Part(chunk, within, (int) Math.min(to.remaining(), chunk.size() - within));
    }

    private ByteBuffer read(Chunk chunk, int offset, int length) throws IOException {
        Optional<ByteBuffer> here = fromStore(chunk.number(), offset, length);
        if (here.isPresent()) {
            traffic.hit();
            return here.get();
        }
        traffic.miss();
        traffic.beginDemand();
        long began = System.nanoTime();
        try {
            return ByteBuffer.wrap(onDemand(chunk), offset, length);
        } finally {
            traffic.endDemand(Duration.ofNanos(System.nanoTime() - began));
        }
    }

    /** A disk that does not work is as good as one without the chunk. */
    private Optional<ByteBuffer> fromStore(int number, int offset, int length) {
        Optional<byte[]> kept = diskWorks.get() ? Optional.empty() : unkept.find(number);
        if (kept.isPresent()) {
            return Optional.of(ByteBuffer.wrap(kept.get(), offset, length));
        }
        try {
            return store.read(number, offset, length, this::passes);
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", blob).setCause(e).log("cannot read the cache of chunks");
            return Optional.empty();
        }
    }

    private boolean passes(int number, byte[] bytes) {
        Optional<Digest> digest = table.chunk(number).digest();
        // Without a digest nothing says whether what an earlier process has left is right.
        return digest.isPresent() && matches(digest.get(), bytes);
    }

    private static boolean matches(Digest digest, byte[] bytes) {
        MessageDigest digester = digest.digester();
        digester.update(bytes);
        return HexFormat.of().formatHex(digester.digest()).equals(digest.hex());
    }

    private byte[] onDemand(Chunk chunk) throws IOException {
        for (int attempt = 1; ; attempt++) {
            CompletableFuture<byte[]> promise = coming.get(chunk.number());
            if (promise == null) {
                // It may have come since it was looked for.
                Optional<ByteBuffer> here = fromStore(chunk.number(), 0, (int) chunk.size());
                if (here.isPresent()) {
                    byte[] bytes = new byte[(int) chunk.size()];
                    here.get().get(bytes);
                    return bytes;
                }
                List<Claim> claims = claim(table.streamStart(chunk.number()), window(chunk));
                if (!claims.isEmpty()) {
                    promise = coming.get(chunk.number());
                    fetchers.execute(() -> onDemand(claims));
                }
                if (promise == null) {
                    promise = coming.get(chunk.number());
                }
            }
            if (promise != null) {
                return await(promise);
            }
            if (attempt == MAX_ATTEMPTS) {
                throw new IOException(
                        "a chunk of %s is gone as soon as it is here: the cache is too small".formatted(blob));
            }
        }
    }

    private void onDemand(List<Claim> claims) {
        try {
            fetch(claims, Purpose.ON_DEMAND);
        } catch (IOException | RuntimeException e) {
            // Those who wait have got it; whoever asks next tries again.
            log.atDebug().addKeyValue("layer", blob).setCause(e).log("cannot fetch");
        }
    }

    private byte[] await(CompletableFuture<byte[]> promise) throws IOException {
        try {
            return promise.get();
        } catch (ExecutionException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            throw new IOException(cause.getMessage(), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while waiting for " + blob).initCause(e);
        }
    }

    /**
     * Compressed bytes to fetch from a chunk on. For a file that is read from its beginning to its end, or files that are read in their
     * order in the layer, as much as was read without a gap, so that a large one and many small ones take few requests, and of one that
     * is only looked into little comes.
     */
    private long window(Chunk chunk) {
        long before = 0;
        long last = chunk.blobOffset();
        int first = index.firstChunk(chunk.inode());
        for (int number = chunk.number() - 1;
                number >= 0 && before < LARGEST_REQUEST && store.has(number) && (number >= first || wasRead(number));
                number--) {
            if (index.blobOffset(number) != last) {
                last = index.blobOffset(number);
                before += index.blobEnd(number) - last;
            }
        }
        return Math.clamp(before, LEAST_REQUEST, LARGEST_REQUEST);
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
            boolean fits = bytes + size <= Math.max(window, 2 * LEAST_REQUEST);
            if (!claims.isEmpty() && (store.has(next) || !fits)) {
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
        } catch (IOException | RuntimeException e) {
            claims.subList(done[0], claims.size()).stream()
                    .flatMap(claim -> claim.chunks.stream())
                    .forEach(chunk -> Optional.ofNullable(coming.remove(chunk))
                            .ifPresent(promise -> promise.completeExceptionally(e)));
            throw e;
        }
    }

    private void request(List<Claim> claims, int[] done, Purpose purpose) throws IOException {
        long begin = claims.get(done[0]).begin;
        traffic.request();
        blob.read(begin, claims.getLast().end, in -> take(claims, done, begin, in, purpose));
    }

    /** Takes streams as they come; {@code done} counts those that are finished, which are not looked at again. */
    private void take(List<Claim> claims, int[] done, long begin, InputStream in, Purpose purpose) throws IOException {
        long position = begin;
        while (done[0] < claims.size()) {
            Claim claim = claims.get(done[0]);
            in.skipNBytes(claim.begin - position);
            int permits = permits(claim);
            acquire(permits);
            try {
                byte[] stream = in.readNBytes(Math.toIntExact(claim.end - claim.begin));
                fetched.add(stream.length);
                traffic.fetched(purpose, stream.length);
                if (stream.length < claim.end - claim.begin) {
                    throw new IOException("%s ended in mid-stream".formatted(blob));
                }
                keep(claim, stream);
                if (purpose == Purpose.PREFETCH) {
                    countPrefetched(claim);
                }
            } finally {
                memory.release(permits);
            }
            position = claim.end;
            done[0]++;
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

    /** For the stream and the largest of its chunks, which are decompressed one after another. */
    private int permits(Claim claim) {
        long bytes = claim.end
                - claim.begin
                + claim.chunks.stream().mapToInt(table::size).max().orElse(0);
        return (int) (bytes >> 20) + 1;
    }

    private void acquire(int permits) throws IOException {
        try {
            memory.acquire(permits);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while fetching " + blob).initCause(e);
        }
    }

    private void keep(Claim claim, byte[] stream) throws IOException {
        for (int number : claim.chunks) {
            if (coming.containsKey(number)) {
                byte[] bytes = verified(table.chunk(number), stream);
                store(number, bytes);
                Optional.ofNullable(coming.remove(number)).ifPresent(promise -> promise.complete(bytes));
            }
        }
    }

    /** What the disk does not take is remembered for a while, as a chunk is read in many parts. */
    private void store(int number, byte[] bytes) {
        try {
            store.put(number, bytes);
            if (!diskWorks.getAndSet(true)) {
                log.atInfo().addKeyValue("layer", blob).log("chunks are kept again");
            }
        } catch (IOException e) {
            if (diskWorks.getAndSet(false)) {
                log.atWarn()
                        .addKeyValue("layer", blob)
                        .setCause(e)
                        .log("cannot keep chunks: they are fetched each time");
            }
            unkept.put(number, bytes);
        }
    }

    private byte[] verified(Chunk chunk, byte[] stream) throws IOException {
        byte[] bytes = new byte[Math.toIntExact(chunk.size())];
        String what = "bytes %d to %d of %s in %s"
                .formatted(chunk.fileOffset(), chunk.fileOffset() + chunk.size(), index.path(chunk.inode()), blob);
        try {
            ChunkDecoder.decode(compression, ByteBuffer.wrap(stream), chunk.innerOffset(), bytes);
        } catch (LayerFormatException e) {
            traffic.mismatch();
            throw new BadLayerException(what + " are damaged: " + e.getMessage(), e);
        }
        if (chunk.digest().isPresent() && !matches(chunk.digest().get(), bytes)) {
            traffic.mismatch();
            throw new BadLayerException(what
                    + " are not what the image's table of contents promises: the layer was changed in the registry");
        }
        return bytes;
    }

    /** Fetches what is missing of the streams that begin before byte {@code end} of the blob, in as few requests as can be. */
    void prefetch(long end) throws IOException {
        ahead(0, number -> table.chunk(number).blobOffset() < end, Purpose.PREFETCH, Long.MAX_VALUE);
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
            return ahead(first, _ -> true, Purpose.BACKGROUND, window);
        }
        return table.count();
    }

    private interface Wanted {
        boolean is(int chunk);
    }

    private int ahead(int from, Wanted wanted, Purpose purpose, long window) throws IOException {
        int next = store.nextMissing(from);
        long bytes = 0;
        while (next < table.count() && wanted.is(next) && bytes < window) {
            int last = next;
            List<Claim> claims = claim(table.streamStart(next), window - bytes);
            if (claims.isEmpty()) {
                // Somebody else is at it.
                last = table.streamEnd(next);
            } else {
                fetch(claims, purpose);
                last = claims.getLast().chunks.getLast() + 1;
                bytes += claims.getLast().end - claims.getFirst().begin;
            }
            next = store.nextMissing(last);
        }
        return next;
    }

    @Override
    public void close() throws IOException {
        blob.close();
        store.close();
    }
}
