package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.proxy.PluginConnection;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One plugin: its connection, and what is known of its health. A call has the plugin's own deadline at most; a plugin that hangs
 * is found out by the probe, and its calls then fail at once until the probe is answered again.
 */
final class ProxyPlugin implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ProxyPlugin.class);

    /** Calls under way at one plugin. */
    private static final int MAX_CALLS = 128;

    /** For a plugin to answer the probe. */
    private static final Duration PROBE_TIMEOUT = Duration.ofSeconds(2);

    private final ProxyPluginConfig config;
    private final PluginConnection connection;
    private final Clock clock;
    private final Semaphore calls = new Semaphore(MAX_CALLS);
    private volatile Health health;

    /** @param problem empty while the plugin answers */
    record Health(Instant since, Optional<ContainerdException> problem) {}

    ProxyPlugin(ProxyPluginConfig config, PluginConnection connection, Clock clock) {
        this.config = config;
        this.connection = connection;
        this.clock = clock;
        this.health = new Health(
                clock.instant(), Optional.of(new UnavailableException(describe("has not been reached yet"))));
    }

    ProxyPluginConfig config() {
        return config;
    }

    PluginConnection connection() {
        return connection;
    }

    Health health() {
        return health;
    }

    /** Asks the plugin whether it serves, and remembers the answer. */
    void probe(Duration timeout) {
        Optional<ContainerdException> problem;
        try {
            connection.check(CallContext.withoutNamespace(timeout));
            problem = Optional.empty();
        } catch (DeadlineExceededException e) {
            problem = Optional.of(new UnavailableException(describe("does not answer"), e));
        } catch (ContainerdException e) {
            problem = Optional.of(new UnavailableException(describe("cannot be reached: " + e.getMessage()), e));
        }
        Health before = health;
        if (before.problem().isPresent() != problem.isPresent()) {
            health = new Health(clock.instant(), problem);
            log.atInfo()
                    .addKeyValue("plugin", config.id())
                    .addKeyValue("address", config.address())
                    .addKeyValue("err", problem.map(Throwable::getMessage).orElse("none"))
                    .log(problem.isPresent() ? "plugin is away" : "plugin is there");
        } else {
            health = new Health(before.since(), problem);
        }
    }

    void probe() {
        probe(PROBE_TIMEOUT);
    }

    /**
     * Makes a call of the plugin.
     *
     * @throws UnavailableException if it is away; the message names it and its address
     */
    <T> T call(CallContext context, Function<CallContext, T> call) {
        if (health.problem().isPresent()) {
            // It may have come back since the last probe.
            probe(min(PROBE_TIMEOUT, context.deadline().remaining()));
            if (health.problem().isPresent()) {
                throw new UnavailableException(
                        String.valueOf(health.problem().get().getMessage()),
                        health.problem().get());
            }
        }
        if (!calls.tryAcquire()) {
            throw new ResourceExhaustedException(
                    describe("has %d calls under way, which is the limit: try again later".formatted(MAX_CALLS)));
        }
        try {
            return call.apply(context.within(config.timeout()));
        } catch (UnavailableException e) {
            Thread.startVirtualThread(this::probe);
            throw new UnavailableException(describe("cannot be reached: " + e.getMessage()), e);
        } catch (DeadlineExceededException e) {
            Thread.startVirtualThread(this::probe);
            throw new DeadlineExceededException(describe("did not answer in time"), e);
        } finally {
            calls.release();
        }
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) <= 0 ? a : b;
    }

    private String describe(String what) {
        return "plugin %s at %s %s".formatted(config.id(), config.address(), what);
    }

    Plugin describe() {
        return new Plugin(
                config.type().pluginType(),
                config.id(),
                List.of(),
                List.of(config.platform().isEmpty() ? "linux/" + architecture() : config.platform()),
                exports(),
                config.capabilities(),
                () -> health.problem());
    }

    private Map<String, String> exports() {
        Map<String, String> exports = new HashMap<>(config.exports());
        exports.put("address", config.address().toString());
        exports.put("since", health.since().toString());
        return exports;
    }

    private static String architecture() {
        return switch (System.getProperty("os.arch")) {
            case "aarch64" -> "arm64";
            case "amd64", "x86_64" -> "amd64";
            case String other -> other;
        };
    }

    @Override
    public void close() {
        connection.close();
    }
}
