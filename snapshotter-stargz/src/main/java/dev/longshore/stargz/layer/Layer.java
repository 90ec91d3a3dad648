package dev.longshore.stargz.layer;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.stargz.fuse.FileData;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A layer that can be read, wherever its bytes are. Made by {@link Layers}. Safe for use by many threads. */
public final class Layer {

    private final Digest digest;
    private final LayerRecord stored;
    private final LayerIndex index;
    private final LayerContent content;
    private final ChunkStore store;
    private final CompletableFuture<Boolean> prefetched = new CompletableFuture<>();

    Layer(Digest digest, LayerRecord stored, LayerIndex index, LayerContent content, ChunkStore store) {
        this.digest = digest;
        this.stored = stored;
        this.index = index;
        this.content = content;
        this.store = store;
    }

    public Digest digest() {
        return digest;
    }

    /** The image that it was first asked for with. */
    public Reference reference() {
        return stored.reference();
    }

    public LayerIndex index() {
        return index;
    }

    public FileData content() {
        return content;
    }

    /** Bytes of the blob. */
    public long size() {
        return stored.size();
    }

    /** Of the blob's bytes those whose content is here. */
    public long fetched() {
        return complete() ? size() : content.presentBlobBytes();
    }

    /** Whether all files are here. */
    public boolean complete() {
        return content.complete();
    }

    /** Bytes that the layer takes on the disk. */
    public long bytesOnDisk() {
        return store.bytes() + index.size();
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

    LayerContent fetcher() {
        return content;
    }

    LayerRecord stored() {
        return stored;
    }

    void close() throws IOException {
        content.close();
        index.close();
    }

    @Override
    public String toString() {
        return digest.toString();
    }
}
