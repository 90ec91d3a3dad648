package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.proxy.PluginConnection;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One plugin, and the rules by which it is called, so that one that is away or hangs harms nobody but who asked for it.
 *
 * <ol>
 *   <li>While it hangs, calls fail at once; the probe finds out when it answers again.
 *   <li>While there is no connection, a call waits for the probe, which gives a plugin that is restarting two seconds; one that
 *       has been away for longer is only looked for.
 *   <li>A call has a place among the calls under way, or fails.
 *   <li>A call has the plugin's own deadline at most.
 * </ol>
 *
 * A call that may have reached the plugin is never made a second time.
 */
final class ProxyPlugin {

    /** For so long after it went away, a plugin is taken to be restarting. */
    private static final Duration RESTART = Duration.ofSeconds(30);

    /** For a call to wait for a plugin that is restarting: a little more than a probe takes, to hear of its result. */
    private static final Duration PATIENCE = PluginProbe.TIMEOUT.plusMillis(500);

    private static final Duration BETWEEN_QUESTIONS = Duration.ofMillis(50);

    private final ProxyPluginConfig config;
    private final PluginConnection connection;
    private final PluginMetrics metrics;
    private final Clock clock;
    private final PluginProbe probe;
    private final Semaphore calls;

    /** @param connection closed by who opened it; plugins at one address share it */
    ProxyPlugin(ProxyPluginConfig config, PluginConnection connection, PluginMetrics metrics, Clock clock) {
        this.config = config;
        this.connection = connection;
        this.metrics = metrics;
        this.clock = clock;
        this.probe = new PluginProbe(config, connection, clock);
        this.calls = new Semaphore(config.maxInflight());
        metrics.watch(config.id(), () -> health().state(), () -> config.maxInflight() - calls.availablePermits());
    }

    ProxyPluginConfig config() {
        return config;
    }

    PluginConnection connection() {
        return connection;
    }

    PluginHealth health() {
        return probe.health();
    }

    /** Asks the plugin whether it serves, on another thread. */
    void probe() {
        var _ = probe.start();
    }

    /**
     * Makes a call of the plugin.
     *
     * @param method what the metrics know it as; one of few
     * @throws UnavailableException if it is away or hangs; the message names it and its address
     * @throws DeadlineExceededException if it did not answer in time
     * @throws ResourceExhaustedException if too many calls are under way
     */
    <T> T call(String method, CallContext context, Function<CallContext, T> call) {
        long start = System.nanoTime();
        try {
            T result = admitted(context, call);
            metrics.called(config.id(), method, "OK", System.nanoTime() - start);
            return result;
        } catch (ContainerdException e) {
            metrics.called(config.id(), method, ErrorClass.of(e).name(), System.nanoTime() - start);
            throw e;
        }
    }

    private <T> T admitted(CallContext context, Function<CallContext, T> call) {
        reach(context);
        if (!calls.tryAcquire()) {
            throw new ResourceExhaustedException(config.describe(
                    "has %d calls under way, which is the limit: try again later".formatted(config.maxInflight())));
        }
        try {
            return named(() -> call.apply(context.within(config.timeout())));
        } finally {
            calls.release();
        }
    }

    /** Returns when there is hope that a call would arrive. */
    private void reach(CallContext context) {
        PluginHealth health = health();
        boolean serving = health.state() == PluginHealth.State.SERVING;
        if (serving && connection.isReady()) {
            return;
        }
        if (health.state() == PluginHealth.State.HUNG) {
            throw refused(health);
        }
        boolean restarting = serving
                || health.state() == PluginHealth.State.UNKNOWN
                || health.since().plus(RESTART).isAfter(clock.instant());
        if (!restarting && connection.absence().isPresent()) {
            throw refused(health);
        }
        health = await(context.within(PATIENCE).deadline());
        if (health.state() != PluginHealth.State.SERVING) {
            throw refused(health);
        }
    }

    /**
     * Waits until it can be used.
     *
     * @throws UnavailableException if it cannot by then
     */
    void require(Deadline deadline) {
        PluginHealth health = await(deadline);
        if (health.state() != PluginHealth.State.SERVING) {
            throw refused(health);
        }
    }

    /** Has the plugin asked until it serves, or hangs, or the deadline has passed. */
    private PluginHealth await(Deadline deadline) {
        try {
            PluginHealth health = probe.ask(deadline.remaining());
            while (health.state() == PluginHealth.State.AWAY
                    && !deadline.remaining().isZero()) {
                // One that is stopping says so at once, again and again, until its successor is there.
                LockSupport.parkNanos(BETWEEN_QUESTIONS.toNanos());
                health = probe.ask(deadline.remaining());
            }
            return health;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting for plugin " + config.id(), e);
        }
    }

    private UnavailableException refused(PluginHealth health) {
        return health.problem()
                .map(problem -> new UnavailableException(String.valueOf(problem.getMessage()), problem))
                .orElseGet(() -> new UnavailableException(config.describe("has not been reached yet")));
    }

    /** Makes a part of a call that {@link #call} has let in, so that an error names the plugin. */
    <T> T named(Supplier<T> part) {
        try {
            return part.get();
        } catch (UnavailableException e) {
            probe();
            throw new UnavailableException(config.describe("is unavailable: " + e.getMessage()), e);
        } catch (DeadlineExceededException e) {
            probe();
            throw new DeadlineExceededException(config.describe("did not answer in time"), e);
        }
    }

    Plugin describe() {
        return new Plugin(
                config.type().pluginType(),
                config.id(),
                List.of(),
                List.of(config.platform().isEmpty() ? "linux/" + architecture() : config.platform()),
                exports(),
                config.capabilities(),
                () -> health().problem());
    }

    private Map<String, String> exports() {
        Map<String, String> exports = new HashMap<>(config.exports());
        exports.put("address", config.address().toString());
        exports.put("since", health().since().toString());
        return exports;
    }

    private static String architecture() {
        return switch (System.getProperty("os.arch")) {
            case "aarch64" -> "arm64";
            case "amd64", "x86_64" -> "amd64";
            case String other -> other;
        };
    }
}
