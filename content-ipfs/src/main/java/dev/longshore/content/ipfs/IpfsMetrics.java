package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Traffic.Origin;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Locale;

/**
 * What is measured:
 *
 * <ul>
 *   <li>{@code longshore_ipfs_blocks_total} and {@code longshore_ipfs_bytes_total}: blocks that were read and verified, by where
 *       they were: {@code disk}, {@code node}, {@code gateway};
 *   <li>{@code longshore_ipfs_cache_hits_total}: reads of blocks on this disk that this process had verified before;
 *   <li>{@code longshore_ipfs_verify_failures_total}: blocks that were not what their CIDs say, wherever they were;
 *   <li>{@code longshore_ipfs_served_bytes_total}: bytes of blocks that peers took from the gateway.
 * </ul>
 */
record IpfsMetrics(Traffic traffic) implements MeterBinder {

    private static final String PREFIX = "longshore.ipfs.";

    @Override
    public void bindTo(MeterRegistry registry) {
        for (Origin origin : Origin.values()) {
            String from = origin.name().toLowerCase(Locale.ROOT);
            FunctionCounter.builder(PREFIX + "blocks", traffic, counted -> counted.blocks(origin))
                    .tag("from", from)
                    .register(registry);
            FunctionCounter.builder(PREFIX + "bytes", traffic, counted -> counted.bytes(origin))
                    .tag("from", from)
                    .register(registry);
        }
        FunctionCounter.builder(PREFIX + "cache.hits", traffic, Traffic::hits).register(registry);
        FunctionCounter.builder(PREFIX + "verify.failures", traffic, Traffic::mismatches)
                .register(registry);
        FunctionCounter.builder(PREFIX + "served.bytes", traffic, Traffic::served)
                .register(registry);
    }
}
