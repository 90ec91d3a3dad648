package dev.longshore.overlay;

import dev.longshore.snapshots.OverlayFeatures;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.snapshots.OverlaySnapshotter;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/** How the program is put together; read it from top to bottom. */
final class Wiring {

    private static final Path KERNEL_RELEASE = Path.of("/proc/sys/kernel/osrelease");

    private final Config config;
    private final OverlaySnapshotter snapshotter;

    Wiring(Config config) throws IOException {
        this.config = config;
        Files.createDirectories(config.root());
        List<String> mountOptions = OverlayFeatures.mountOptions(config.mountOptions(), config.root());
        boolean mapIds = OverlayFeatures.mapsIds(Files.readString(KERNEL_RELEASE));
        OverlayOptions options = new OverlayOptions(mountOptions, config.upperdirLabel(), config.syncRemove(), mapIds);
        snapshotter = OverlaySnapshotter.open(config.root(), options, Clock.systemUTC());
    }

    /** Serves until the process is told to end, and closes everything. */
    void serve() throws IOException, InterruptedException {
        PluginServer.serve(config.serve(), Backend.of(snapshotter));
    }
}
