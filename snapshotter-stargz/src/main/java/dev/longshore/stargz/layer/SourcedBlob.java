package dev.longshore.stargz.layer;

import dev.longshore.registry.ByteRange;
import dev.longshore.registry.Registry.RangeSink;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A blob that several may have: content stores are asked first, the registry for what none of them gives. Without a registry, stores that
 * fail are asked again for a while. Safe for use by many threads.
 */
final class SourcedBlob implements LayerBlob {

    private static final Duration PAUSE = Duration.ofMillis(500);

    private final String what;
    private final long size;
    private final List<ContentBlob> stores;
    private final Optional<RemoteBlob> registry;
    private final Duration patience;
    private final CountDownLatch closed = new CountDownLatch(1);

    /**
     * @param what for messages
     * @param patience how long a part is waited for if there is no registry, which has patience of its own
     */
    SourcedBlob(String what, long size, List<ContentBlob> stores, Optional<RemoteBlob> registry, Duration patience) {
        this.what = what;
        this.size = size;
        this.stores = List.copyOf(stores);
        this.registry = registry;
        this.patience = patience;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public void read(long begin, long end, Part part) throws IOException {
        Deadline deadline = Deadline.after(patience);
        while (true) {
            Optional<IOException> failure = fromStores(begin, end, part);
            if (failure.isEmpty()) {
                return;
            }
            if (registry.isPresent()) {
                registry.get().read(begin, end, part);
                return;
            }
            if (failure.get() instanceof BadLayerException
                    || deadline.remaining().compareTo(PAUSE) <= 0) {
                throw failure.get();
            }
            pause();
        }
    }

    @Override
    public void read(List<ByteRange> ranges, RangeSink sink) throws IOException {
        if (registry.isPresent() && stores.stream().allMatch(ContentBlob::isPassedOver)) {
            registry.get().read(ranges, sink);
        } else {
            LayerBlob.super.read(ranges, sink);
        }
    }

    /** @return why none has given the part; empty if one has */
    private Optional<IOException> fromStores(long begin, long end, Part part) throws IOException {
        IOException last = new IOException(
                "bytes %d to %d of %s cannot be had: its image is in no registry, and there is no content store to ask"
                        .formatted(begin, end, this));
        for (ContentBlob store : stores) {
            if (registry.isPresent() && store.isPassedOver()) {
                continue;
            }
            try {
                store.read(begin, end, part);
                return Optional.empty();
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                last = e;
            }
        }
        return Optional.of(last);
    }

    private void pause() throws IOException {
        try {
            if (closed.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException("%s is not used any more".formatted(this));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while fetching").initCause(e);
        }
    }

    @Override
    public void close() {
        closed.countDown();
        stores.forEach(ContentBlob::close);
        registry.ifPresent(RemoteBlob::close);
    }

    /** For messages. */
    @Override
    public String toString() {
        return what;
    }
}
