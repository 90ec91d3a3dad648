package dev.longshore.daemon.runtime;

import dev.longshore.sdk.linux.Epoll;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.Fifo;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** Copies what shims write to the {@code log} fifo of their bundles to the daemon's log; one thread for all of them. */
final class ShimLogs implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimLogs.class);

    /** Bytes; longer lines are broken. */
    private static final int MAX_LINE = 8192;

    /** Owner only, as containerd makes it. */
    private static final int FIFO_MODE = 0700;

    private final Epoll epoll;
    private final Thread thread;
    private final Map<Integer, Follower> followers = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<Follower> closing = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    ShimLogs() throws ErrnoException {
        epoll = new Epoll();
        thread = Thread.ofPlatform().name("shim-logs").daemon().start(this::run);
    }

    /** Makes the fifo if it is not there, and copies until what is returned is closed. */
    Follower follow(Bundle bundle) throws ErrnoException {
        Fifo.make(bundle.log(), FIFO_MODE);
        Follower follower = new Follower(bundle, Fifo.open(bundle.log()));
        followers.put(follower.fifo.fd(), follower);
        epoll.add(follower.fifo.fd());
        return follower;
    }

    private void run() {
        byte[] buffer = new byte[MAX_LINE];
        try (epoll) {
            while (!closed) {
                for (int fd : epoll.await()) {
                    Follower follower = followers.get(fd);
                    if (follower != null) {
                        follower.copy(buffer);
                    }
                }
                // Closed on this thread only, so that nobody reads a descriptor that means something else by then.
                for (Follower done = closing.poll(); done != null; done = closing.poll()) {
                    if (followers.remove(done.fifo.fd(), done)) {
                        done.copy(buffer);
                        epoll.remove(done.fifo.fd());
                        done.fifo.close();
                    }
                }
            }
            followers.values().forEach(follower -> follower.fifo.close());
        } catch (ErrnoException e) {
            LOG.atError().setCause(e).log("Shim logs are not copied any more");
        }
    }

    @Override
    public void close() {
        closed = true;
        epoll.wake();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** One shim's log. */
    final class Follower implements AutoCloseable {

        private final Bundle bundle;
        private final Fifo fifo;

        private Follower(Bundle bundle, Fifo fifo) {
            this.bundle = bundle;
            this.fifo = fifo;
        }

        /** One buffer at a time, so that a shim that writes without end does not keep the others waiting. */
        private void copy(byte[] buffer) {
            int length;
            try {
                length = fifo.read(buffer);
            } catch (ErrnoException e) {
                log(Level.WARN, "cannot read the shim's log: " + e.getMessage());
                closing.add(this);
                return;
            }
            String text = new String(buffer, 0, length, StandardCharsets.UTF_8);
            text.lines().filter(line -> !line.isBlank()).forEach(line -> log(levelOf(line), line));
        }

        private void log(Level level, String line) {
            LOG.atLevel(level)
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("line", line)
                    .log("Shim says");
        }

        @Override
        public void close() {
            closing.add(this);
            epoll.wake();
        }
    }

    /** Shims written with containerd's library write logfmt. */
    static Level levelOf(String line) {
        if (line.contains("level=error") || line.contains("level=fatal") || line.contains("level=panic")) {
            return Level.ERROR;
        }
        if (line.contains("level=warn")) {
            return Level.WARN;
        }
        return line.contains("level=debug") || line.contains("level=trace") ? Level.DEBUG : Level.INFO;
    }
}
