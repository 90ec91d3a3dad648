package dev.longshore.stargz;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.snapshots.OverlayFeatures;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.stargz.layer.BlobSources;
import dev.longshore.stargz.layer.ChunkCache;
import dev.longshore.stargz.layer.ContentSource;
import dev.longshore.stargz.layer.LayerSettings;
import dev.longshore.stargz.layer.Layers;
import dev.longshore.stargz.layer.Traffic;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Snapshotters as the program has them, without the program. */
final class Snapshotters {

    private Snapshotters() {}

    static final LayerSettings QUIET =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(5), true, 0, false);

    /** Fetches all of each layer, and makes an image of it. */
    static final LayerSettings EAGER =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(5), true, 0, true);

    /** Reads from registries on loopback, of which it wants no credentials. */
    static StargzSnapshotter open(Path root, LayerSettings settings, Traffic traffic) throws IOException {
        return open(root, settings, traffic, List.of());
    }

    /** Reads from content stores first. */
    static StargzSnapshotter open(Path root, LayerSettings settings, Traffic traffic, List<ContentSource> contents)
            throws IOException {
        OverlayOptions options = new OverlayOptions(OverlayFeatures.mountOptions(List.of(), root), false, false, true);
        Layers layers = new Layers(
                new StargzLayout(root).layers(),
                new BlobSources(new Registry(new HostsDirectory(List.of(), false), Credentials.NONE), contents),
                settings,
                new ChunkCache(1L << 30),
                traffic,
                Optional.of(StargzSnapshotter.opaqueXattrs(options)));
        return StargzSnapshotter.open(root, options, layers, Duration.ofSeconds(10), Clock.systemUTC());
    }
}
