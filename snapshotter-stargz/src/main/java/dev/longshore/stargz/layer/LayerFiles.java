package dev.longshore.stargz.layer;

import dev.longshore.stargz.erofs.ErofsFiles;
import dev.longshore.stargz.fuse.BackingFiles;
import dev.longshore.stargz.fuse.FileData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A layer's files: out of its chunks, which are fetched as they are needed, or out of its image, which has all of them. It changes from
 * the one to the other under its readers. Safe for use by many threads.
 */
final class LayerFiles implements FileData, BackingFiles, AutoCloseable {

    /** Read-locked while chunks are read from, so that they are not closed meanwhile. */
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

    private volatile Optional<LayerContent> chunks;
    private volatile Optional<ErofsFiles> image;
    private final BigFiles big;
    private final Traffic traffic;
    private volatile boolean closed;
    private volatile Optional<PrefetchUse> prefetchUse = Optional.empty();

    private LayerFiles(Optional<LayerContent> chunks, Optional<ErofsFiles> image, BigFiles big, Traffic traffic) {
        this.chunks = chunks;
        this.image = image;
        this.big = big;
        this.traffic = traffic;
    }

    static LayerFiles of(LayerContent chunks, BigFiles big, Traffic traffic) {
        return new LayerFiles(Optional.of(chunks), Optional.empty(), big, traffic);
    }

    static LayerFiles of(ErofsFiles image, BigFiles big, Traffic traffic) {
        return new LayerFiles(Optional.empty(), Optional.of(image), big, traffic);
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to) throws IOException {
        read(inode, offset, to, new CompletableFuture<>());
    }

    @Override
    public void read(int inode, long offset, ByteBuffer to, CompletableFuture<Void> gone) throws IOException {
        fromEither(inode, offset, to, content -> {
            content.read(inode, offset, to, gone);
            return true;
        });
    }

    @Override
    public boolean readLocal(int inode, long offset, ByteBuffer to) throws IOException {
        return fromEither(inode, offset, to, content -> content.readLocal(inode, offset, to));
    }

    private interface ChunkRead {
        boolean from(LayerContent content) throws IOException;
    }

    private boolean fromEither(int inode, long offset, ByteBuffer to, ChunkRead chunkRead) throws IOException {
        Optional<ErofsFiles> complete = image;
        if (complete.isEmpty()) {
            lock.readLock().lock();
            try {
                if (chunks.isPresent()) {
                    return chunkRead.from(chunks.get());
                }
            } finally {
                lock.readLock().unlock();
            }
            complete = image;
        }
        try {
            complete.orElseThrow().read(inode, offset, to);
            traffic.hit();
            return true;
        } catch (IOException e) {
            traffic.failure();
            throw e;
        }
    }

    boolean hasBigFiles() {
        return !big.isEmpty();
    }

    @Override
    public boolean mayHave(int inode) {
        return big.has(inode);
    }

    @Override
    public Optional<Path> keep(int inode) {
        return chunks.flatMap(content -> content.keepFile(inode));
    }

    @Override
    public void keepTold(int inode) {
        chunks.ifPresent(content -> content.keepTold(inode));
    }

    /** What is fetched of the layer; empty once there is an image. */
    Optional<LayerContent> chunks() {
        return chunks;
    }

    Optional<Path> image() {
        return image.map(ErofsFiles::path);
    }

    PrefetchUse prefetchUse() {
        Optional<PrefetchUse> kept = prefetchUse;
        return kept.isPresent()
                ? kept.get()
                : chunks.map(LayerContent::prefetchUse).orElse(PrefetchUse.NONE);
    }

    /** Counts no further: what is read from now on is not read by a container. */
    void endPrefetchUse() {
        prefetchUse = Optional.of(prefetchUse());
    }

    boolean complete() {
        return chunks.map(LayerContent::complete).orElse(true);
    }

    /** Bytes that they take on the disk. */
    long bytesOnDisk() {
        return image.map(ErofsFiles::bytes)
                .or(() -> chunks.map(LayerContent::bytesOnDisk))
                .orElse(0L);
    }

    /**
     * Reads from an image from now on, and closes the chunks when nobody reads from them any more.
     *
     * @return false if these files are closed already; then so is the image
     */
    synchronized boolean use(ErofsFiles complete) throws IOException {
        if (closed) {
            complete.close();
            return false;
        }
        LayerContent replaced;
        lock.writeLock().lock();
        try {
            replaced = chunks.orElseThrow();
            image = Optional.of(complete);
            chunks = Optional.empty();
        } finally {
            lock.writeLock().unlock();
        }
        replaced.close();
        return true;
    }

    boolean closed() {
        return closed;
    }

    /** Does not wait for readers: those who wait for a registry get an error. */
    @Override
    public synchronized void close() throws IOException {
        closed = true;
        Optional<LayerContent> open = chunks;
        Optional<ErofsFiles> complete = image;
        if (open.isPresent()) {
            open.get().close();
        }
        if (complete.isPresent()) {
            complete.get().close();
        }
    }
}
