package dev.longshore.shim;

import dev.longshore.sdk.linux.Epoll;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.MemoryEvents;
import java.io.Closeable;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * Waits for the kernel to kill for want of memory, for all containers on one thread. The kernel tells that a cgroup is out of
 * memory a moment before it kills, so the counter of kills is looked at for a while afterwards.
 */
final class OomWatcher {

    private static final Duration PERIOD = Duration.ofMillis(50);

    /** Looks at the counter after the kernel has told. */
    private static final int LOOKS = 40;

    private final Epoll epoll;
    private final Map<Integer, Watch> watches = new ConcurrentHashMap<>();

    private record Watch(MemoryEvents events, BooleanSupplier tell) {}

    OomWatcher() throws ErrnoException {
        epoll = new Epoll();
        Thread.ofPlatform().name("ooms").daemon(true).start(this::run);
    }

    /**
     * Watches a cgroup until the answer is closed.
     *
     * @param tell tells of kills, and answers whether there were any; called on the thread of all containers
     */
    Closeable watch(MemoryEvents events, BooleanSupplier tell) throws ErrnoException {
        watches.put(events.fd(), new Watch(events, tell));
        epoll.add(events.fd());
        return () -> {
            if (watches.remove(events.fd()) != null) {
                epoll.remove(events.fd());
                events.close();
            }
        };
    }

    private void run() {
        Map<Watch, Integer> looks = new HashMap<>();
        while (true) {
            try {
                List<Integer> told = looks.isEmpty() ? epoll.await() : epoll.await(PERIOD);
                for (int fd : told) {
                    Watch watch = watches.get(fd);
                    if (watch != null) {
                        watch.events.drain();
                        looks.put(watch, LOOKS);
                    }
                }
            } catch (ErrnoException e) {
                throw new IllegalStateException("cannot wait for want of memory", e);
            }
            looks.entrySet()
                    .removeIf(look -> look.getKey().tell.getAsBoolean() || look.setValue(look.getValue() - 1) <= 1);
        }
    }
}
