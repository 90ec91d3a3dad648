package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.proxyplugin.PluginHealth.State;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * What is measured of one plugin, as long as it is configured:
 *
 * <ul>
 *   <li>{@code longshore_plugin_state}: by state, 1 for the one that it is in, 0 for the others;
 *   <li>{@code longshore_plugin_inflight}: calls under way;
 *   <li>{@code longshore_plugin_calls_total}: by method and result ({@code OK}, or the class of the error);
 *   <li>{@code longshore_plugin_call_seconds}: a histogram by method.
 * </ul>
 *
 * Plugins, methods and results are few.
 */
final class PluginMetrics implements AutoCloseable {

    private static final Duration[] BUCKETS = {
        Duration.ofMillis(1),
        Duration.ofMillis(2),
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(25),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(250),
        Duration.ofSeconds(1),
        Duration.ofSeconds(5),
        Duration.ofSeconds(30)
    };

    private final MeterRegistry registry;
    private final String plugin;
    private final Map<String, Timer> timers = new ConcurrentHashMap<>();
    private final List<Meter> meters = new CopyOnWriteArrayList<>();

    PluginMetrics(MeterRegistry registry, String plugin, Supplier<State> state, IntSupplier inflight) {
        this.registry = registry;
        this.plugin = plugin;
        for (State each : State.values()) {
            meters.add(Gauge.builder("longshore.plugin.state", () -> state.get() == each ? 1 : 0)
                    .tag("plugin", plugin)
                    .tag("state", each.name().toLowerCase(Locale.ROOT))
                    .register(registry));
        }
        meters.add(Gauge.builder("longshore.plugin.inflight", inflight::getAsInt)
                .tag("plugin", plugin)
                .register(registry));
    }

    void called(String method, String result, long nanos) {
        timers.computeIfAbsent(method, this::timer).record(nanos, TimeUnit.NANOSECONDS);
        registry.counter("longshore.plugin.calls", "plugin", plugin, "method", method, "result", result)
                .increment();
    }

    private Timer timer(String method) {
        Timer timer = Timer.builder("longshore.plugin.call")
                .tag("plugin", plugin)
                .tag("method", method)
                .serviceLevelObjectives(BUCKETS)
                .register(registry);
        meters.add(timer);
        return timer;
    }

    /** Of a plugin that is no more: what it counted is kept, so that a sum never falls. */
    @Override
    public void close() {
        meters.forEach(registry::remove);
    }
}
