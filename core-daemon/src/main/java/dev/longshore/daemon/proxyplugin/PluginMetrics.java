package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.proxyplugin.PluginHealth.State;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * What is measured of plugins: {@code longshore_plugin_call_seconds} by plugin, method and result, {@code longshore_plugin_serving}
 * (1 or 0) and {@code longshore_plugin_calls}, the calls under way. Plugins, methods and results are few.
 */
final class PluginMetrics {

    private final MeterRegistry registry;

    PluginMetrics(MeterRegistry registry) {
        this.registry = registry;
    }

    void watch(String plugin, Supplier<State> state, IntSupplier calls) {
        Gauge.builder("longshore.plugin.serving", () -> state.get() == State.SERVING ? 1 : 0)
                .tag("plugin", plugin)
                .register(registry);
        Gauge.builder("longshore.plugin.calls", calls::getAsInt)
                .tag("plugin", plugin)
                .register(registry);
    }

    void called(String plugin, String method, String result, long nanos) {
        registry.timer("longshore.plugin.call", "plugin", plugin, "method", method, "result", result)
                .record(nanos, TimeUnit.NANOSECONDS);
    }
}
