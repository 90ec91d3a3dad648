package dev.longshore.stargz.layer;

import dev.longshore.estargz.TocVerification;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.stargz.layer.LayerProbe.Probed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Probes the layers that a client will ask for next while it still waits for the one before: it asks for one after another, and says
 * with each which others the image has. What their tables are promised to be is not known yet: it is looked at when they are asked
 * for. What nobody asks for is thrown away after a while. Safe for use by many threads.
 */
final class ProbesAhead implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ProbesAhead.class);

    private static final int THREADS = 2;

    /** Layers that wait for a thread; more of them have to be asked for. */
    private static final int WAITING = 64;

    private static final Duration KEPT = Duration.ofMinutes(1);

    private final LayerProbe probe;
    private final Path folder;
    private final Duration patience;
    private final LongSupplier nanos;
    private final Map<Digest, Begun> all = new ConcurrentHashMap<>();
    private final ThreadPoolExecutor threads;

    /**
     * @param folder for what is not asked for yet; made if it is needed, and rubbish after a restart
     * @param patience for one layer
     * @param nanos as {@link System#nanoTime}
     */
    ProbesAhead(LayerProbe probe, Path folder, Duration patience, LongSupplier nanos) {
        this.probe = probe;
        this.folder = folder;
        this.patience = patience;
        this.nanos = nanos;
        threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(WAITING),
                Thread.ofPlatform().daemon().name("probe-", 0).factory(),
                new ThreadPoolExecutor.DiscardPolicy());
        threads.allowCoreThreadTimeOut(true);
    }

    /** One layer; whoever takes it first, a thread or who asks for it, does the work. */
    private final class Begun implements Runnable {

        private final LayerSource source;
        private final Digest digest;
        private final Path index;
        private final long began = nanos.getAsLong();
        private final AtomicBoolean taken = new AtomicBoolean();
        private final CountDownLatch ended = new CountDownLatch(1);
        private volatile Optional<Probed.Found> found = Optional.empty();

        /** @param source of another layer of the image */
        private Begun(LayerSource source, Digest digest) {
            this.source = source;
            this.digest = digest;
            this.index = folder.resolve(digest.algorithm() + "-" + digest.hex());
        }

        @Override
        public void run() {
            if (!taken.compareAndSet(false, true)) {
                return;
            }
            try {
                Files.createDirectories(folder);
                Probed probed = probe.probe(
                        CallContext.withoutNamespace(patience),
                        source.reference(),
                        digest,
                        new TocVerification.Absent(),
                        index);
                if (probed instanceof Probed.Found there) {
                    found = Optional.of(there);
                }
            } catch (IOException e) {
                // Who asks for it asks the registry, and is told.
                log.atDebug().addKeyValue("layer", digest).setCause(e).log("cannot probe a layer ahead");
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                ended.countDown();
            }
        }

        /** Whether nobody has asked for it; one that is being done goes on, as it will write its index. */
        private boolean isRubbish() {
            return nanos.getAsLong() - began > patience.plus(KEPT).toNanos()
                    && (ended.getCount() == 0 || taken.compareAndSet(false, true));
        }
    }

    /**
     * Begins with the other layers of an image.
     *
     * @param known layers that nothing is to be asked about
     */
    void begin(LayerSource source, Predicate<Digest> known) {
        forgetOld();
        for (Digest digest : source.neighbors()) {
            if (!known.test(digest) && all.size() < WAITING) {
                Begun begun = new Begun(source, digest);
                if (all.putIfAbsent(digest, begun) == null) {
                    threads.execute(begun);
                }
            }
        }
    }

    private void forgetOld() {
        for (Digest digest : all.keySet()) {
            // At once: the next one of the same layer has its index in the same place.
            all.computeIfPresent(digest, (_, begun) -> {
                if (!begun.isRubbish()) {
                    return begun;
                }
                delete(begun);
                return null;
            });
        }
    }

    private static void delete(Begun begun) {
        try {
            Files.deleteIfExists(begun.index);
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", begun.digest).setCause(e).log("cannot remove an index nobody asked for");
        }
    }

    /**
     * Takes what has been found out about a layer, and waits for it if it is being done.
     *
     * @param index where the layer's index is to be; its folder is there
     * @return empty if it has to be probed: it has not been, or was not found to be what is promised
     */
    Optional<Probed.Found> take(CallContext context, LayerSource source, Path index)
            throws IOException, InterruptedException {
        Begun begun = all.get(source.digest());
        // An image may name the layers of another as its own: those would be fetched from wherever it says from then
        // on.
        if (begun == null
                || !begun.source.reference().equals(source.reference())
                || !all.remove(source.digest(), begun)
                || begun.taken.compareAndSet(false, true)) {
            return Optional.empty();
        }
        if (!begun.ended.await(context.deadline().remaining().toNanos(), TimeUnit.NANOSECONDS)) {
            all.putIfAbsent(source.digest(), begun); // it is still to be thrown away
            return Optional.empty();
        }
        Optional<Probed.Found> found = begun.found.filter(there -> isPromised(there, source.toc()));
        if (found.isPresent()) {
            DurableFiles.move(begun.index, index);
        } else {
            delete(begun);
        }
        return found;
    }

    private static boolean isPromised(Probed.Found found, TocVerification promise) {
        return switch (promise) {
            case TocVerification.Uncompressed(Digest toc) ->
                toc.equals(found.toc().digest());
            case TocVerification.Compressed(Digest toc) ->
                toc.equals(found.toc().compressed());
            case TocVerification.Absent _ -> true;
        };
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
