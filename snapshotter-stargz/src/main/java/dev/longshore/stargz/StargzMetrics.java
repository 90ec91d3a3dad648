package dev.longshore.stargz;

import dev.longshore.stargz.layer.ChunkCache;
import dev.longshore.stargz.layer.ContentSource;
import dev.longshore.stargz.layer.Traffic;
import dev.longshore.stargz.layer.Traffic.Purpose;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * What is measured:
 *
 * <ul>
 *   <li>{@code longshore_stargz_fetched_bytes_total}: compressed bytes from registries, by purpose: {@code on_demand}, {@code
 *       prefetch}, {@code background};
 *   <li>{@code longshore_stargz_content_bytes_total}: those of them that came from a content store, by its name in the configuration;
 *   <li>{@code longshore_stargz_requests_total}: requests for parts of layers;
 *   <li>{@code longshore_stargz_reads_total}: reads, by where the bytes were: {@code here} or {@code registry};
 *   <li>{@code longshore_stargz_read_failures_total}: reads that ended with EIO;
 *   <li>{@code longshore_stargz_verify_failures_total}: parts of layers that were not what they should be, from a registry or in the
 *       cache;
 *   <li>{@code longshore_stargz_wait_seconds}: a histogram of the waits for bytes from a registry;
 *   <li>{@code longshore_stargz_layers_total}: layers asked for lazily, by result: {@code lazy}, {@code ordinary};
 *   <li>{@code longshore_stargz_mounts}: layers that are mounted;
 *   <li>{@code longshore_stargz_cache_bytes}: uncompressed bytes of layers on this machine.
 * </ul>
 */
record StargzMetrics(Traffic traffic, List<ContentSource> contents, ChunkCache cache, StargzSnapshotter snapshotter)
        implements MeterBinder {

    private static final String PREFIX = "longshore.stargz.";

    @Override
    public void bindTo(MeterRegistry registry) {
        for (Purpose purpose : Purpose.values()) {
            FunctionCounter.builder(PREFIX + "fetched.bytes", traffic, counted -> counted.fetched(purpose))
                    .tag("purpose", purpose.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
        for (ContentSource content : contents) {
            FunctionCounter.builder(PREFIX + "content.bytes", content, ContentSource::fetched)
                    .tag("store", content.name())
                    .register(registry);
        }
        counter(registry, "requests", "", "", Traffic::requests);
        counter(registry, "reads", "from", "here", Traffic::hits);
        counter(registry, "reads", "from", "registry", Traffic::misses);
        counter(registry, "read.failures", "", "", Traffic::failures);
        counter(registry, "verify.failures", "", "", Traffic::mismatches);
        FunctionCounter.builder(
                        PREFIX + "layers",
                        snapshotter,
                        counted -> counted.outcomes().lazy())
                .tag("result", "lazy")
                .register(registry);
        FunctionCounter.builder(
                        PREFIX + "layers",
                        snapshotter,
                        counted -> counted.outcomes().ordinary())
                .tag("result", "ordinary")
                .register(registry);
        Gauge.builder(
                        PREFIX + "mounts",
                        snapshotter,
                        counted -> counted.outcomes().mounts())
                .register(registry);
        Gauge.builder(PREFIX + "cache.bytes", cache, ChunkCache::bytes).register(registry);
        Timer waits = Timer.builder(PREFIX + "wait")
                .serviceLevelObjectives(
                        Duration.ofMillis(1),
                        Duration.ofMillis(5),
                        Duration.ofMillis(20),
                        Duration.ofMillis(100),
                        Duration.ofMillis(500),
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(10))
                .register(registry);
        traffic.onWait(waits::record);
    }

    private interface Count {
        long of(Traffic traffic);
    }

    private void counter(MeterRegistry registry, String name, String tag, String value, Count count) {
        FunctionCounter.Builder<Traffic> counter = FunctionCounter.builder(PREFIX + name, traffic, count::of);
        if (!tag.isEmpty()) {
            counter.tag(tag, value);
        }
        counter.register(registry);
    }
}
