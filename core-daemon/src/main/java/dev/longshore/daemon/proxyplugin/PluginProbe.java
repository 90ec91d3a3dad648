package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.proxy.PluginConnection;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Finds out how a plugin is, again and again: at its interval while it is well, else several times a second, so that it is
 * used soon when it is back. However many callers want to know, one question is under way at a time.
 */
final class PluginProbe implements AutoCloseable {

    /** For a plugin to answer, which includes that it may be starting just now. */
    static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** One question without an answer may be a machine under load; so many in a row are a plugin that hangs. */
    private static final int SILENCES_OF_A_HANG = 2;

    /** Between two questions to a plugin that is not well. */
    private static final Duration RETRY = Duration.ofMillis(250);

    private final ProxyPluginConfig config;
    private final PluginConnection connection;
    private final PluginStatus status;
    private final ScheduledExecutorService timer;
    private final ReentrantLock lock = new ReentrantLock();
    private Optional<CountDownLatch> underWay = Optional.empty();
    private Optional<Future<?>> next = Optional.empty();
    private boolean closed;
    private int silences;

    /**
     * @param status where to tell what is found out
     * @param timer for the next question; it is only made to start a thread
     */
    PluginProbe(
            ProxyPluginConfig config,
            PluginConnection connection,
            PluginStatus status,
            ScheduledExecutorService timer) {
        this.config = config;
        this.connection = connection;
        this.status = status;
        this.timer = timer;
    }

    /** Has the plugin asked by a thread of its own. */
    CountDownLatch start() {
        lock.lock();
        try {
            return underWay.orElseGet(() -> {
                CountDownLatch answered = new CountDownLatch(closed ? 0 : 1);
                if (!closed) {
                    next.ifPresent(later -> later.cancel(false));
                    underWay = Optional.of(answered);
                    Thread.ofVirtual().name("probe-" + config.id()).start(() -> ask(answered));
                }
                return answered;
            });
        } finally {
            lock.unlock();
        }
    }

    /** Has the plugin asked, and waits for what comes of it, {@code patience} at most. */
    PluginHealth ask(Duration patience) throws InterruptedException {
        boolean _ = start().await(patience.toNanos(), TimeUnit.NANOSECONDS);
        return status.health();
    }

    /** Whether the plugin takes connections but has not answered for some time. */
    boolean isHung() {
        lock.lock();
        try {
            return silences >= SILENCES_OF_A_HANG;
        } finally {
            lock.unlock();
        }
    }

    private void ask(CountDownLatch answered) {
        try {
            Runnable found = look();
            lock.lock();
            try {
                if (!closed) {
                    found.run();
                }
            } finally {
                lock.unlock();
            }
        } finally {
            lock.lock();
            try {
                underWay = Optional.empty();
                if (!closed) {
                    next = Optional.of(timer.schedule(this::start, pause().toNanos(), TimeUnit.NANOSECONDS));
                }
            } finally {
                lock.unlock();
            }
            answered.countDown();
        }
    }

    private Duration pause() {
        boolean well = silences == 0 && status.health().state().isUsable();
        return well || config.healthInterval().compareTo(RETRY) < 0 ? config.healthInterval() : RETRY;
    }

    /** What to note, under the lock. */
    private Runnable look() {
        // First: the answer is there at once, and gRPC would wait for a socket to come.
        Optional<String> absence = connection.absence();
        if (absence.isPresent()) {
            return () -> unreachable(absence.get(), Optional.empty());
        }
        try {
            connection.check(CallContext.withoutNamespace(TIMEOUT));
            return () -> {
                silences = 0;
                status.reached();
            };
        } catch (DeadlineExceededException e) {
            return connection
                    .absence()
                    .<Runnable>map(gone -> () -> unreachable(gone, Optional.of(e)))
                    .orElse(() -> silent(e));
        } catch (ContainerdException e) {
            return () -> unreachable(String.valueOf(e.getMessage()), Optional.of(e));
        }
    }

    private void silent(DeadlineExceededException cause) {
        silences++;
        if (silences >= SILENCES_OF_A_HANG) {
            status.unreachable(new UnavailableException(
                    config.describe(
                            switch (config.address()) {
                                case PluginAddress.Unix _ -> "takes connections but has stopped to answer: restart it";
                                case PluginAddress.Remote _ ->
                                    "does not answer: restart it, or look after the network and its address";
                            }),
                    cause));
        } else if (status.health().state().isUsable()) {
            // A second opinion before its calls are refused.
            status.doubt(
                    PluginStatus.Doubt.SILENCE,
                    Optional.of(new UnavailableException(
                            config.describe(
                                    "has not answered within %d s whether it is well".formatted(TIMEOUT.toSeconds())),
                            cause)));
        } else if (status.health().state() == PluginHealth.State.UNREACHABLE) {
            status.unreachable(
                    new UnavailableException(config.describe("cannot be reached: has not answered yet"), cause));
        }
    }

    private void unreachable(String why, Optional<ContainerdException> cause) {
        silences = 0;
        String message = config.describe("cannot be reached: " + why);
        status.unreachable(cause.map(known -> new UnavailableException(message, known))
                .orElseGet(() -> new UnavailableException(message)));
    }

    /**
     * To be told when the connection has ended. Who takes the next one, however soon, may be another process with another store: it is
     * gone for a moment, so that its return is seen.
     *
     * @return whether there is a need to know of the next time
     */
    boolean connectionLost() {
        lock.lock();
        try {
            if (closed) {
                return false;
            }
            unreachable("it has ended the connection, and may be restarting", Optional.empty());
        } finally {
            lock.unlock();
        }
        var _ = start();
        return true;
    }

    /** What is found out from now on is told nobody. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            next.ifPresent(later -> later.cancel(false));
        } finally {
            lock.unlock();
        }
    }
}
