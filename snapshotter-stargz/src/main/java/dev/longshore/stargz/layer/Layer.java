package dev.longshore.stargz.layer;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.stargz.fuse.BackingFiles;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A layer that can be read, wherever its bytes are. Made by {@link Layers}. Safe for use by many threads. */
public final class Layer {

    private final Digest digest;
    private final LayerRecord stored;
    private final LayerIndex index;
    private final LayerFiles files;
    private final boolean mountable;
    private final CompletableFuture<Boolean> prefetched = new CompletableFuture<>();

    /** @param mountable whether the kernel can mount images */
    Layer(Digest digest, LayerRecord stored, LayerIndex index, LayerFiles files, boolean mountable) {
        this.digest = digest;
        this.stored = stored;
        this.index = index;
        this.files = files;
        this.mountable = mountable;
    }

    public Digest digest() {
        return digest;
    }

    /** The image that it was first asked for with. */
    public ImageName reference() {
        return stored.reference();
    }

    public LayerIndex index() {
        return index;
    }

    public FileData content() {
        return files;
    }

    /** For a layer with files that are so large that it is worth while to have the kernel read them. */
    public Optional<BackingFiles> backingFiles() {
        return files.hasBigFiles() ? Optional.of(files) : Optional.empty();
    }

    /** An EROFS image with all files of the layer, once it has one that the kernel can mount. */
    public Optional<Path> image() {
        return mountable ? files.image() : Optional.empty();
    }

    /** Bytes of the blob. */
    public long size() {
        return stored.size();
    }

    /** Of the blob's bytes those whose content is here. */
    public long fetched() {
        Optional<LayerContent> chunks = files.chunks();
        return complete() || chunks.isEmpty() ? size() : chunks.get().presentBlobBytes();
    }

    public PrefetchUse prefetchUse() {
        return files.prefetchUse();
    }

    /** Whether all files are here. */
    public boolean complete() {
        return files.complete();
    }

    /** Bytes that the layer takes on the disk. */
    public long bytesOnDisk() {
        return files.bytesOnDisk() + index.size();
    }

    /**
     * Waits until that part of the layer is here which it says is needed first.
     *
     * @return whether it is
     */
    public boolean awaitPrefetch(Duration timeout) throws InterruptedException {
        try {
            return prefetched.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e); // it is never completed so
        }
    }

    void prefetchEnded(boolean whole) {
        prefetched.complete(whole);
    }

    LayerFiles files() {
        return files;
    }

    LayerRecord stored() {
        return stored;
    }

    void close() throws IOException {
        files.close();
        index.close();
    }

    @Override
    public String toString() {
        return digest.toString();
    }
}
