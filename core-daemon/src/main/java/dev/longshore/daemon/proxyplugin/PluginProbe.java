package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.proxy.PluginConnection;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds out how a plugin is, and remembers it. However many callers want to know, one question is under way at a time. */
final class PluginProbe {

    private static final Logger log = LoggerFactory.getLogger(PluginProbe.class);

    /** For a plugin to answer, which includes that it may be starting just now. */
    static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** One question without an answer may be a machine under load; so many in a row are a plugin that hangs. */
    private static final int SILENCES_OF_A_HANG = 2;

    private final ProxyPluginConfig config;
    private final PluginConnection connection;
    private final Clock clock;
    private final ReentrantLock lock = new ReentrantLock();
    private Optional<CountDownLatch> underWay = Optional.empty();
    private int silences;
    private volatile PluginHealth health;

    PluginProbe(ProxyPluginConfig config, PluginConnection connection, Clock clock) {
        this.config = config;
        this.connection = connection;
        this.clock = clock;
        this.health = new PluginHealth(
                PluginHealth.State.UNKNOWN,
                clock.instant(),
                Optional.of(new UnavailableException(config.describe("has not been reached yet"))));
    }

    PluginHealth health() {
        return health;
    }

    /** Has the plugin asked by a thread of its own. */
    CountDownLatch start() {
        lock.lock();
        try {
            return underWay.orElseGet(() -> {
                CountDownLatch answered = new CountDownLatch(1);
                underWay = Optional.of(answered);
                Thread.ofVirtual().name("probe-" + config.id()).start(() -> ask(answered));
                return answered;
            });
        } finally {
            lock.unlock();
        }
    }

    /** Has the plugin asked, and waits for what comes of it, {@code patience} at most. */
    PluginHealth ask(Duration patience) throws InterruptedException {
        boolean _ = start().await(patience.toNanos(), TimeUnit.NANOSECONDS);
        return health;
    }

    private void ask(CountDownLatch answered) {
        try {
            PluginHealth before = health;
            PluginHealth now = look(before);
            health = now;
            if (before.state() != now.state()) {
                log.atInfo()
                        .addKeyValue("plugin", config.id())
                        .addKeyValue("address", config.address())
                        .addKeyValue("state", now.state())
                        .addKeyValue(
                                "err", now.problem().map(Throwable::getMessage).orElse("none"))
                        .log("plugin changed its state");
            }
        } finally {
            lock.lock();
            try {
                underWay = Optional.empty();
            } finally {
                lock.unlock();
            }
            answered.countDown();
        }
    }

    private PluginHealth look(PluginHealth before) {
        try {
            connection.check(CallContext.withoutNamespace(TIMEOUT));
            silences = 0;
            return health(before, PluginHealth.State.SERVING, Optional.empty());
        } catch (DeadlineExceededException e) {
            Optional<String> absence = connection.absence();
            if (absence.isPresent()) {
                silences = 0;
                return away(before, absence.get(), e);
            }
            silences++;
            if (silences < SILENCES_OF_A_HANG) {
                // A second opinion before its calls are refused.
                return before.state() == PluginHealth.State.SERVING ? before : away(before, "has not answered yet", e);
            }
            return health(
                    before,
                    PluginHealth.State.HUNG,
                    Optional.of(new UnavailableException(
                            config.describe("takes connections but has stopped to answer: restart it"), e)));
        } catch (ContainerdException e) {
            silences = 0;
            return away(before, String.valueOf(e.getMessage()), e);
        }
    }

    private PluginHealth away(PluginHealth before, String why, ContainerdException cause) {
        return health(
                before,
                PluginHealth.State.AWAY,
                Optional.of(new UnavailableException(config.describe("cannot be reached: " + why), cause)));
    }

    private PluginHealth health(PluginHealth before, PluginHealth.State state, Optional<ContainerdException> problem) {
        return new PluginHealth(state, before.state() == state ? before.since() : clock.instant(), problem);
    }
}
