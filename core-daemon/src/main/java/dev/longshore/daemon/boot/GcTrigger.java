package dev.longshore.daemon.boot;

import dev.longshore.daemon.gc.GarbageCollector;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Tells the garbage collector of writes. It is made of the store that writes, and so comes after it. */
final class GcTrigger implements Consumer<Boolean> {

    private final AtomicReference<@Nullable GarbageCollector> collector = new AtomicReference<>();

    void set(GarbageCollector collector) {
        this.collector.set(collector);
    }

    @Override
    public void accept(Boolean leftGarbage) {
        GarbageCollector present = collector.get();
        if (present != null) {
            present.written(leftGarbage);
        }
    }
}
