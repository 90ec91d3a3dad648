package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The plugins of the configuration. None of them need be there: each is used as soon as it answers, and again when it comes
 * back.
 */
public final class ProxyPlugins implements AutoCloseable {

    /** Between two probes of a plugin. */
    private static final int PROBE_SECONDS = 3;

    private final UnixChannels channels = new UnixChannels();
    private final List<PluginConnection> connections;
    private final List<ProxyPlugin> plugins;
    private final Map<String, Snapshotter> snapshotters;
    private final Optional<ContentStore> contentStore;
    private final ScheduledExecutorService probes = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("plugin-probes").daemon(true).factory());

    /** @throws InvalidArgumentException if there are two content stores, of which a daemon has one */
    public ProxyPlugins(List<ProxyPluginConfig> configs, Clock clock, MeterRegistry registry) {
        List<ProxyPluginConfig> stores = configs.stream()
                .filter(config -> config.type() == ProxyPluginConfig.Type.CONTENT)
                .toList();
        if (stores.size() > 1) {
            throw new InvalidArgumentException("proxy plugins %s and %s are both content stores: configure one of them"
                    .formatted(stores.getFirst().id(), stores.get(1).id()));
        }
        // Plugins at one address share a connection, as containerd's do.
        Map<Path, PluginConnection> byAddress = new HashMap<>();
        PluginMetrics metrics = new PluginMetrics(registry);
        this.plugins = configs.stream()
                .map(config -> new ProxyPlugin(
                        config,
                        byAddress.computeIfAbsent(config.address(), address -> new PluginConnection(channels, address)),
                        metrics,
                        clock))
                .toList();
        this.connections = List.copyOf(byAddress.values());
        this.snapshotters = of(ProxyPluginConfig.Type.SNAPSHOT)
                .collect(Collectors.toUnmodifiableMap(plugin -> plugin.config().id(), GuardedSnapshotter::new));
        this.contentStore = of(ProxyPluginConfig.Type.CONTENT)
                .<ContentStore>map(GuardedContentStore::new)
                .findFirst();
        var _ = probes.scheduleWithFixedDelay(
                () -> plugins.forEach(ProxyPlugin::probe), 0, PROBE_SECONDS, TimeUnit.SECONDS);
    }

    private Stream<ProxyPlugin> of(ProxyPluginConfig.Type type) {
        return plugins.stream().filter(plugin -> plugin.config().type() == type);
    }

    /** The names of the snapshotters, in order. */
    public List<String> snapshotters() {
        return of(ProxyPluginConfig.Type.SNAPSHOT)
                .map(plugin -> plugin.config().id())
                .sorted()
                .toList();
    }

    /** The snapshotter of that name: the same one each time, as long as it is configured. */
    public Optional<Snapshotter> snapshotter(String name) {
        return Optional.ofNullable(snapshotters.get(name));
    }

    /** The content store that is to be used instead of the built-in one. */
    public Optional<ContentStore> contentStore() {
        return contentStore;
    }

    /** The applier of that name. */
    public Optional<Applier> applier(String name) {
        return differ(name).map(differ -> differ);
    }

    /** The comparer of that name. */
    public Optional<Comparer> comparer(String name) {
        return differ(name).map(differ -> differ);
    }

    private Optional<GuardedDiffer> differ(String name) {
        return of(ProxyPluginConfig.Type.DIFF)
                .filter(plugin -> plugin.config().id().equals(name))
                .map(GuardedDiffer::new)
                .findFirst();
    }

    /**
     * Waits until the plugin can be used, if it is one of these.
     *
     * @param uri its type and id
     * @throws UnavailableException if it cannot be used by then
     */
    public void require(String uri, Deadline deadline) {
        plugins.stream()
                .filter(plugin -> plugin.config().uri().equals(uri))
                .forEach(plugin -> plugin.require(deadline));
    }

    /** How each plugin is, by name. */
    public Map<String, PluginHealth> health() {
        Map<String, PluginHealth> health = new TreeMap<>();
        plugins.forEach(plugin -> health.put(plugin.config().id(), plugin.health()));
        return health;
    }

    /** For the table of plugins, as they stand now. */
    public List<Plugin> describe() {
        return plugins.stream().map(ProxyPlugin::describe).toList();
    }

    @Override
    public void close() {
        probes.shutdownNow();
        connections.forEach(PluginConnection::close);
        channels.close();
    }
}
