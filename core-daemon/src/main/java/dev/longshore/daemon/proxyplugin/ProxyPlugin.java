package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.daemon.proxyplugin.PluginStatus.Doubt;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.PermissionDeniedException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.proxy.PluginConnection;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One plugin, under one name for as long as it is configured, and the rules by which it is called, so that one that is away
 * or hangs harms nobody but who asked for it.
 *
 * <ol>
 *   <li>While it hangs, calls fail at once; the probe finds out when it answers again.
 *   <li>While there is no connection, a call waits for the probe, which gives a plugin that is restarting two seconds; one that
 *       has been away for longer is only looked for.
 *   <li>While it says that it is well but leaves calls without an answer, one call at a time is let through.
 *   <li>A call has a place among the calls under way, or fails.
 *   <li>A call has the plugin's own deadline at most.
 * </ol>
 *
 * A call that may have reached the plugin is never made a second time. What is configured may change meanwhile: a call ends
 * as it began.
 */
final class ProxyPlugin implements AutoCloseable {

    /** For so long after it went away, a plugin is taken to be restarting. */
    private static final Duration RESTART = Duration.ofSeconds(30);

    /** For a call to wait for a plugin that is restarting: a little more than a probe takes, to hear of its result. */
    private static final Duration PATIENCE = PluginProbe.TIMEOUT.plusMillis(500);

    private static final Duration BETWEEN_QUESTIONS = Duration.ofMillis(50);

    private final Connections connections;
    private final Clock clock;
    private final ScheduledExecutorService timer;
    private final PluginStatus status;
    private final PluginMetrics metrics;
    private volatile Link link;

    /** Why new calls are refused although the plugin may be well; empty if they are not. */
    private volatile Optional<String> retired = Optional.empty();

    /** Why the plugin is still there although the configuration has it no longer. */
    private volatile Optional<String> note = Optional.empty();

    /** What belongs to one configuration of the plugin. */
    private record Link(
            ProxyPluginConfig config,
            PluginConnection connection,
            PluginProbe probe,
            Semaphore calls,
            CircuitBreaker breaker) {}

    /** @param listener told of every change of the state; must not block */
    ProxyPlugin(
            ProxyPluginConfig config,
            Connections connections,
            MeterRegistry registry,
            Clock clock,
            ScheduledExecutorService timer,
            Consumer<PluginChange> listener) {
        this.connections = connections;
        this.clock = clock;
        this.timer = timer;
        this.status = new PluginStatus(
                clock, unknown(config), (before, now) -> listener.accept(new PluginChange(config(), before, now)));
        this.link = link(config);
        this.metrics = new PluginMetrics(
                registry,
                config.id(),
                () -> health().state(),
                () -> link.config.maxInflight() - link.calls.availablePermits());
        var _ = link.probe.start();
    }

    private Link link(ProxyPluginConfig config) {
        PluginConnection connection = connections.acquire(config);
        PluginProbe probe = new PluginProbe(config, connection, status, timer);
        connection.onLoss(probe::connectionLost);
        return new Link(
                config, connection, probe, new Semaphore(config.maxInflight()), new CircuitBreaker(System::nanoTime));
    }

    private static UnavailableException unknown(ProxyPluginConfig config) {
        return new UnavailableException(config.describe("has not been reached yet"));
    }

    ProxyPluginConfig config() {
        return link.config;
    }

    PluginHealth health() {
        return status.health();
    }

    /**
     * Has calls go by another configuration from now on, of the same name and type. To be called by one thread at a time.
     *
     * @throws dev.longshore.sdk.errors.InvalidArgumentException if no connection can be made of it; nothing has changed then
     */
    void change(ProxyPluginConfig config) {
        Link before = link;
        Link after = link(config);
        before.probe.close();
        link = after;
        status.restart(unknown(config));
        var _ = after.probe.start();
        connections.release(before.config);
    }

    /**
     * Refuses new calls, and waits for those under way.
     *
     * @return whether none is under way any more
     */
    boolean retire(Duration patience) {
        retired = Optional.of("is being removed from the configuration");
        Link present = link;
        try {
            if (!present.calls.tryAcquire(present.config.maxInflight(), patience.toNanos(), TimeUnit.NANOSECONDS)) {
                return false;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        present.calls.release(present.config.maxInflight());
        return true;
    }

    /**
     * Takes calls again after {@link #retire}.
     *
     * @param why it is still there
     */
    void stay(String why) {
        note = Optional.of(why);
        retired = Optional.empty();
    }

    /** The configuration has it, after all. */
    void wanted() {
        note = Optional.empty();
    }

    /** Says what is amiss with what the plugin keeps, or that nothing is. */
    void loss(Optional<ContainerdException> problem) {
        status.doubt(Doubt.LOSS, problem);
    }

    /**
     * Makes a call of the plugin.
     *
     * @param method what the metrics know it as; one of few
     * @throws UnavailableException if it is away or hangs; the message names it and its address
     * @throws DeadlineExceededException if it did not answer in time
     * @throws ResourceExhaustedException if too many calls are under way
     */
    <T> T call(String method, CallContext context, BiFunction<PluginConnection, CallContext, T> call) {
        long start = System.nanoTime();
        String result = ErrorClass.INTERNAL.name();
        try {
            T answer = admitted(context, call);
            result = "OK";
            return answer;
        } catch (ContainerdException e) {
            result = ErrorClass.of(e).name();
            throw e;
        } finally {
            metrics.called(method, result, System.nanoTime() - start);
        }
    }

    private <T> T admitted(CallContext context, BiFunction<PluginConnection, CallContext, T> call) {
        Link present = link;
        retired.ifPresent(why -> {
            throw new UnavailableException(present.config.describe(why));
        });
        reach(present, context);
        if (!present.calls.tryAcquire()) {
            throw new ResourceExhaustedException(
                    present.config.describe("has %d calls under way, which is the limit: try again later"
                            .formatted(present.config.maxInflight())));
        }
        try {
            if (!present.breaker.admits()) {
                throw new UnavailableException(present.config.describe(
                        "has left its last %d calls without an answer: one at a time tries whether it answers again"
                                .formatted(CircuitBreaker.FAILURES)));
            }
            return judged(present, context, call);
        } finally {
            present.calls.release();
        }
    }

    /** Makes the call, and draws conclusions from how it ends. */
    private <T> T judged(Link present, CallContext context, BiFunction<PluginConnection, CallContext, T> call) {
        Deadline own = Deadline.after(present.config.timeout());
        boolean answered = false;
        boolean failed = false;
        try {
            T answer = named(() -> call.apply(present.connection, context.within(present.config.timeout())));
            answered = true;
            return answer;
        } catch (DeadlineExceededException e) {
            // Whoever has less patience than the plugin is given learns nothing of it.
            failed = own.remaining().isZero();
            throw e;
        } catch (UnavailableException e) {
            failed = true;
            throw e;
        } catch (CanceledException e) {
            throw e;
        } catch (RuntimeException e) {
            answered = true;
            throw e;
        } finally {
            conclude(present, answered, failed);
        }
    }

    private void conclude(Link present, boolean answered, boolean failed) {
        if (answered) {
            present.breaker.answered();
            if (health().state() == PluginHealth.State.DEGRADED) {
                status.doubt(Doubt.CALLS, Optional.empty());
            }
        } else if (failed) {
            // While it is away, the probe says so; this is for one that seems well.
            if (present.breaker.failed() && health().state().isUsable()) {
                status.doubt(
                        Doubt.CALLS,
                        Optional.of(
                                new UnavailableException(
                                        present.config.describe(
                                                "says that it is well, but leaves calls without an answer: look into its log, restart it"))));
            }
        } else {
            present.breaker.unknown();
        }
    }

    /** Returns when there is hope that a call would arrive. */
    private void reach(Link present, CallContext context) {
        PluginHealth health = health();
        boolean usable = health.state().isUsable();
        if (usable && present.connection.isReady()) {
            return;
        }
        if (present.probe.isHung()) {
            throw refused(present, health);
        }
        boolean restarting = usable
                || health.state() == PluginHealth.State.STARTING
                || health.since().plus(RESTART).isAfter(clock.instant());
        // Whether somebody listens on another machine cannot be told at once: the probe knows it a moment later.
        boolean absent = present.config.address() instanceof PluginAddress.Remote
                || present.connection.absence().isPresent();
        if (!restarting && absent) {
            throw refused(present, health);
        }
        health = await(present, context.within(PATIENCE).deadline());
        if (!health.state().isUsable()) {
            throw refused(present, health);
        }
    }

    /**
     * Waits until it can be used.
     *
     * @throws UnavailableException if it cannot by then
     */
    void require(Deadline deadline) {
        Link present = link;
        PluginHealth health = await(present, deadline);
        if (!health.state().isUsable()) {
            throw refused(present, health);
        }
    }

    /** Has the plugin asked until it serves, or hangs, or the deadline has passed. */
    private PluginHealth await(Link present, Deadline deadline) {
        try {
            PluginHealth health = present.probe.ask(deadline.remaining());
            while (!health.state().isUsable()
                    && !present.probe.isHung()
                    && !deadline.remaining().isZero()) {
                // One that is stopping says so at once, again and again, until its successor is there.
                LockSupport.parkNanos(BETWEEN_QUESTIONS.toNanos());
                health = present.probe.ask(deadline.remaining());
            }
            return health;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting for plugin " + present.config.id(), e);
        }
    }

    private static UnavailableException refused(Link present, PluginHealth health) {
        return health.problem()
                .map(problem -> new UnavailableException(String.valueOf(problem.getMessage()), problem))
                .orElseGet(() -> unknown(present.config));
    }

    /** Makes a part of a call that {@link #call} has let in, so that an error that may be the plugin's fault names it. */
    <T> T named(Supplier<T> part) {
        ProxyPluginConfig config = link.config;
        try {
            return part.get();
        } catch (UnavailableException e) {
            var _ = link.probe.start();
            throw new UnavailableException(config.describe("is unavailable: " + e.getMessage()), e);
        } catch (DeadlineExceededException e) {
            var _ = link.probe.start();
            throw new DeadlineExceededException(config.describe("did not answer in time"), e);
        } catch (ResourceExhaustedException e) {
            throw new ResourceExhaustedException(config.describe("failed: " + e.getMessage()), e);
        } catch (InternalException e) {
            throw new InternalException(config.describe("failed: " + e.getMessage()), e);
        } catch (UnknownException e) {
            throw new UnknownException(config.describe("failed: " + e.getMessage()), e);
        } catch (PermissionDeniedException e) {
            throw new PermissionDeniedException(config.describe("refused: " + e.getMessage()), e);
        } catch (UnauthenticatedException e) {
            throw new UnauthenticatedException(config.describe("refused: " + e.getMessage()), e);
        }
    }

    Plugin describe() {
        ProxyPluginConfig config = link.config;
        PluginHealth health = health();
        return new Plugin(
                config.type().pluginType(),
                config.id(),
                List.of(),
                List.of(config.platform().isEmpty() ? "linux/" + architecture() : config.platform()),
                exports(config, health),
                config.capabilities(),
                () -> health.problem().filter(_ -> !health.state().isUsable()));
    }

    private Map<String, String> exports(ProxyPluginConfig config, PluginHealth health) {
        Map<String, String> exports = new HashMap<>(config.exports());
        exports.put("address", config.address().toString());
        exports.put("state", health.state().name().toLowerCase(Locale.ROOT));
        exports.put("since", health.since().toString());
        health.lastError().ifPresent(error -> {
            exports.put("last_error", error.message());
            exports.put("last_error_at", error.time().toString());
        });
        health.problem().ifPresent(problem -> exports.put("problem", String.valueOf(problem.getMessage())));
        note.ifPresent(why -> exports.put("removal", why));
        return exports;
    }

    private static String architecture() {
        return switch (System.getProperty("os.arch")) {
            case "aarch64" -> "arm64";
            case "amd64", "x86_64" -> "amd64";
            case String other -> other;
        };
    }

    /** Calls under way go on to their end; what is made of it later fails. */
    @Override
    public void close() {
        retired = Optional.of("is no longer configured");
        link.probe.close();
        connections.release(link.config);
        metrics.close();
    }
}
