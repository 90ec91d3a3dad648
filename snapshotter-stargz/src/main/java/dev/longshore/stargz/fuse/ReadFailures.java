package dev.longshore.stargz.fuse;

import dev.longshore.stargz.index.LayerIndex;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells of reads that failed, but not of each: a registry that is gone makes thousands fail. */
final class ReadFailures {

    private static final Logger log = LoggerFactory.getLogger(ReadFailures.class);

    private static final long PERIOD_NANOS = 10_000_000_000L;

    private final String layer;
    private final LayerIndex index;
    private final AtomicLong last = new AtomicLong(System.nanoTime() - PERIOD_NANOS);
    private final AtomicLong untold = new AtomicLong();

    ReadFailures(String layer, LayerIndex index) {
        this.layer = layer;
        this.index = index;
    }

    void tell(int inode, long offset, Throwable cause) {
        long now = System.nanoTime();
        long before = last.get();
        if (now - before < PERIOD_NANOS || !last.compareAndSet(before, now)) {
            untold.incrementAndGet();
            return;
        }
        log.atWarn()
                .addKeyValue("layer", layer)
                .addKeyValue("file", index.path(inode))
                .addKeyValue("offset", offset)
                .addKeyValue("untold", untold.getAndSet(0))
                .addKeyValue("err", cause.toString())
                .log("a read fails with EIO");
    }
}
