package dev.longshore.stargz;

import dev.longshore.stargz.layer.Traffic;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Collects garbage when nobody waits any more. The JVM gives memory back at a full collection only, and after a burst of reads nothing
 * makes it do one: a heap that has grown would stay so for as long as the layers are mounted.
 */
final class QuietCollections implements AutoCloseable {

    private static final Duration QUIET = Duration.ofSeconds(3);

    /** Reads that make enough garbage to be worth it. */
    private static final long WORTH = 200;

    /** Reads that make as much garbage as a request, which may be for a table of contents. */
    private static final long REQUEST = 50;

    private final Traffic traffic;
    private final CountDownLatch closed = new CountDownLatch(1);

    QuietCollections(Traffic traffic) {
        this.traffic = traffic;
        Thread.ofPlatform().daemon().name("quiet-collections").start(this::run);
    }

    private void run() {
        long collected = 0;
        long before = 0;
        try {
            while (!closed.await(QUIET.toMillis(), TimeUnit.MILLISECONDS)) {
                long now = REQUEST * traffic.requests() + traffic.hits() + traffic.misses();
                if (now == before && now - collected >= WORTH) {
                    System.gc();
                    collected = now;
                }
                before = now;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed.countDown();
    }
}
