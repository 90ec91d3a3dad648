package dev.longshore.stargz.layer;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches what nobody has asked for yet: first what layers say is needed first, several layers at a time; then all the rest, one
 * layer after the other, in small pieces, and only while nobody waits for bytes. What is complete gets an image.
 */
final class FetchAhead implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(FetchAhead.class);

    private static final int PREFETCHERS = 4;

    /** Compressed bytes of a piece of the rest: what somebody who begins to wait meanwhile has to share the line with. */
    private static final long PIECE = 1 << 20;

    private static final Duration IDLE = Duration.ofMillis(300);
    private static final int MAX_FAILURES = 5;
    private static final Duration PAUSE = Duration.ofSeconds(10);

    private final LayerSettings settings;
    private final Traffic traffic;
    private final LayerImages images;
    private final Set<Layer> wanted = ConcurrentHashMap.newKeySet();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final ExecutorService prefetching = pool(PREFETCHERS, "prefetch-");
    private final ExecutorService background = pool(1, "background-");

    FetchAhead(LayerSettings settings, Traffic traffic, LayerImages images) {
        this.settings = settings;
        this.traffic = traffic;
        this.images = images;
    }

    private static ExecutorService pool(int threads, String name) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                threads,
                threads,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Thread.ofPlatform().daemon().name(name, 0).factory());
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    /** @param size bytes to fetch at once if the layer does not say how many */
    void add(Layer layer, long size) {
        long end = layer.index().prefetchForbidden()
                ? 0
                : layer.index().prefetchEnd().orElse(Math.min(size, layer.size()));
        wanted.add(layer);
        if (settings.prefetch() && end > 0) {
            prefetching.execute(() -> {
                prefetch(layer, end);
                later(layer);
            });
        } else {
            layer.prefetchEnded(true);
            later(layer);
        }
    }

    private void prefetch(Layer layer, long end) {
        boolean whole = false;
        try {
            Optional<LayerContent> chunks = layer.files().chunks();
            if (chunks.isPresent()) {
                chunks.get().prefetch(end);
            }
            whole = true;
            log.atDebug().addKeyValue("layer", layer).addKeyValue("bytes", end).log("layer prefetched");
        } catch (IOException | RuntimeException e) {
            failed(layer, e, "cannot prefetch a layer");
        } finally {
            layer.prefetchEnded(whole);
        }
    }

    private void failed(Layer layer, Exception e, String message) {
        if (wanted.contains(layer)) {
            log.atWarn()
                    .addKeyValue("layer", layer)
                    .addKeyValue("err", e.getMessage())
                    .log(message);
        }
    }

    private void later(Layer layer) {
        if (settings.background() && layer.files().chunks().isPresent() && closed.getCount() > 0) {
            background.execute(() -> rest(layer));
        }
    }

    private void rest(Layer layer) {
        Optional<LayerContent> chunks = layer.files().chunks();
        if (chunks.isEmpty()) {
            return;
        }
        int next = 0;
        int failures = 0;
        while (wanted.contains(layer) && next < layer.index().chunks()) {
            try {
                long idle = traffic.idleNanos();
                if (idle < IDLE.toNanos()) {
                    if (closed.await(IDLE.toNanos() - idle, TimeUnit.NANOSECONDS)) {
                        return;
                    }
                    continue;
                }
                next = chunks.get().background(next, PIECE);
                failures = 0;
            } catch (IOException | RuntimeException e) {
                failures++;
                failed(layer, e, "cannot fetch the rest of a layer");
                if (failures == MAX_FAILURES || e instanceof BadLayerException || pause()) {
                    return;
                }
            } catch (InterruptedException e) {
                return; // told to end
            }
        }
        try {
            // What others fetch was passed over; they may be reading ahead for nobody who waits.
            chunks.get().settle();
        } catch (InterruptedException e) {
            return; // told to end
        }
        if (layer.complete()) {
            log.atInfo()
                    .addKeyValue("layer", layer)
                    .addKeyValue("bytes", layer.size())
                    .log("layer is complete");
            if (wanted.contains(layer)) {
                images.make(layer);
            }
        }
    }

    /** @return whether to end */
    private boolean pause() {
        try {
            return closed.await(PAUSE.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            return true;
        }
    }

    void remove(Layer layer) {
        wanted.remove(layer);
    }

    @Override
    public void close() {
        wanted.clear();
        closed.countDown();
        prefetching.shutdownNow();
        background.shutdownNow();
    }
}
