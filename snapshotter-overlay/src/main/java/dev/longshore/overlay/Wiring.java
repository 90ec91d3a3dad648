package dev.longshore.overlay;

import dev.longshore.transport.serve.PluginServer;
import dev.longshore.transport.serve.SnapshotsService;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;

/** How the program is put together; read it from top to bottom. */
final class Wiring implements AutoCloseable {

    private static final Path KERNEL_RELEASE = Path.of("/proc/sys/kernel/osrelease");

    private final OverlaySnapshotter snapshotter;
    private final PluginServer server;

    Wiring(Config config, Map<String, String> environment) throws IOException {
        Files.createDirectories(config.root());
        List<String> mountOptions = OverlayFeatures.mountOptions(config.mountOptions(), config.root());
        boolean mapIds = OverlayFeatures.mapsIds(Files.readString(KERNEL_RELEASE));
        OverlayOptions options = new OverlayOptions(mountOptions, config.upperdirLabel(), config.syncRemove(), mapIds);
        snapshotter = OverlaySnapshotter.open(config.root(), options, Clock.systemUTC());
        try {
            server = PluginServer.start(config.address(), environment, new SnapshotsService(name -> snapshotter));
        } catch (IOException | RuntimeException e) {
            snapshotter.close();
            throw e;
        }
    }

    void serveUntilTold() throws InterruptedException {
        server.serveUntilTold(snapshotter);
    }

    @Override
    public void close() {
        server.close();
        snapshotter.close();
    }
}
