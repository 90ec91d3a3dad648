package dev.longshore.stargz;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.DockerConfig;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.snapshots.OverlayFeatures;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.stargz.erofs.ErofsMount;
import dev.longshore.stargz.layer.BlobSources;
import dev.longshore.stargz.layer.ChunkCache;
import dev.longshore.stargz.layer.ContentSource;
import dev.longshore.stargz.layer.Layers;
import dev.longshore.stargz.layer.Traffic;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How the program is put together; read it from top to bottom. */
final class Wiring {

    private static final Logger log = LoggerFactory.getLogger(Wiring.class);

    private static final Path KERNEL_RELEASE = Path.of("/proc/sys/kernel/osrelease");

    /** When what is needed for the first layer is rehearsed, which takes a processor for half a second. */
    private static final Duration AT_ONCE = Duration.ofMillis(100);

    private static final Duration LATER = Duration.ofSeconds(15);

    private final CountDownLatch ended = new CountDownLatch(1);
    private final Config config;
    private final Registry registry;
    private final UnixChannels channels = new UnixChannels();
    private final List<PluginConnection> connections = new ArrayList<>();
    private final StargzSnapshotter snapshotter;
    private final StargzMetrics metrics;
    private final Traffic traffic;
    private final OverlayOptions overlay;

    Wiring(Config config, Map<String, String> environment) throws IOException {
        this.config = config;
        for (ConfigProblem problem : config.problems()) {
            log.atWarn().addKeyValue("problem", problem).log("configuration has an unknown key");
        }
        Files.createDirectories(config.root());
        List<String> mountOptions = OverlayFeatures.mountOptions(config.mountOptions(), config.root());
        boolean mapIds = OverlayFeatures.mapsIds(Files.readString(KERNEL_RELEASE));
        overlay = new OverlayOptions(mountOptions, false, false, mapIds);

        Credentials credentials = config.registries()
                .dockerConfig()
                .map(folder -> new DockerConfig(folder.resolve("config.json")))
                .orElseGet(() -> DockerConfig.ofUser(environment));
        registry = new Registry(
                new HostsDirectory(
                        config.registries().configPath(), config.registries().plainHttp()),
                credentials);
        for (Config.Content content : config.contents()) {
            connections.add(new PluginConnection(channels, content.address()));
        }
        List<ContentSource> contents = contents(config.contents(), connections);
        traffic = new Traffic();
        ChunkCache cache = new ChunkCache(config.cacheSize());
        Layers layers = new Layers(
                new StargzLayout(config.root()).layers(),
                new BlobSources(registry, contents),
                config.layers(),
                cache,
                traffic,
                images(config, overlay));
        snapshotter =
                StargzSnapshotter.open(config.root(), overlay, layers, config.prefetchTimeout(), Clock.systemUTC());
        metrics = new StargzMetrics(traffic, contents, cache, snapshotter);
    }

    private static List<ContentSource> contents(List<Config.Content> contents, List<PluginConnection> connections) {
        List<ContentSource> sources = new ArrayList<>();
        for (int i = 0; i < contents.size(); i++) {
            Config.Content content = contents.get(i);
            PluginConnection connection = connections.get(i);
            sources.add(new ContentSource(
                    content.name(),
                    connection.contentStore(),
                    context -> connect(connection, content, context),
                    content.namespace(),
                    content.timeout()));
        }
        return sources;
    }

    private static void connect(PluginConnection connection, Config.Content content, CallContext context) {
        // A call would wait for a socket that is not there as long as it may.
        Optional<String> absence = connection.absence();
        if (absence.isPresent()) {
            throw new UnavailableException("%s: %s".formatted(content.address(), absence.get()));
        }
        connection.check(context);
    }

    /** With mounts, for longshore-aot. What fails is said, and no reason not to serve. */
    void rehearse() {
        try {
            Rehearsal.mount(config.root().resolve("rehearsal"), overlay);
            Rehearsal.read(config.root().resolve("rehearsal"));
        } catch (IOException | ContainerdException e) {
            log.atWarn().setCause(e).log("the rehearsal failed: the first layer will take longer");
        }
    }

    /** Whether complete layers are to have images; the answer is also written down for the operator. */
    private static Optional<List<String>> images(Config config, OverlayOptions overlay) throws IOException {
        if (!config.erofs()) {
            return Optional.empty();
        }
        Optional<String> why = ErofsMount.probe(config.root());
        if (why.isPresent()) {
            log.atInfo()
                    .addKeyValue("reason", why.get())
                    .log("complete layers stay on FUSE: this kernel does not mount EROFS from files");
            return Optional.empty();
        }
        log.atInfo().log("complete layers get EROFS images, which the kernel reads by itself");
        return Optional.of(StargzSnapshotter.opaqueXattrs(overlay));
    }

    /** Those who wait for an earlier process's mounts go first. */
    private void rehearseLater() {
        try {
            Duration wait = snapshotter.outcomes().mounts() == 0 ? AT_ONCE : LATER;
            if (ended.await(wait.toMillis(), TimeUnit.MILLISECONDS)) {
                return;
            }
            Rehearsal.read(config.root().resolve("rehearsal"));
            log.atDebug().log("rehearsed");
        } catch (IOException | ContainerdException e) {
            log.atInfo().setCause(e).log("the rehearsal failed: the first layer will take longer");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Serves until the process is told to end, and closes everything but the mounts, which the next process takes over. */
    void serve() throws IOException, InterruptedException {
        try (channels;
                registry;
                QuietCollections _ = new QuietCollections(traffic)) {
            Thread.ofPlatform().daemon().name("rehearsal").start(this::rehearseLater);
            try {
                PluginServer.serve(config.serve(), metrics, Backend.of(snapshotter));
            } finally {
                ended.countDown();
                connections.forEach(PluginConnection::close);
            }
        }
    }
}
