package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The plugins of the configuration. None of them need be there: each is used as soon as it answers, and again when it comes
 * back.
 */
public final class ProxyPlugins implements AutoCloseable {

    /** Between two probes of a plugin. */
    private static final int PROBE_SECONDS = 5;

    private final UnixChannels channels = new UnixChannels();
    private final List<ProxyPlugin> plugins;
    private final ScheduledExecutorService probes = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("plugin-probes").daemon(true).factory());

    public ProxyPlugins(List<ProxyPluginConfig> configs, Clock clock) {
        // Plugins at one address share a connection, as containerd's do.
        Map<Path, PluginConnection> connections = new HashMap<>();
        this.plugins = configs.stream()
                .map(config -> new ProxyPlugin(
                        config,
                        connections.computeIfAbsent(
                                config.address(), address -> new PluginConnection(channels, address)),
                        clock))
                .toList();
        var _ = probes.scheduleWithFixedDelay(this::probe, 0, PROBE_SECONDS, TimeUnit.SECONDS);
    }

    /** Each on a thread of its own: one that hangs does not delay the others. */
    private void probe() {
        plugins.forEach(plugin -> Thread.startVirtualThread(plugin::probe));
    }

    /** The snapshotters, by name. */
    public Map<String, Snapshotter> snapshotters() {
        Map<String, Snapshotter> snapshotters = new TreeMap<>();
        plugins.stream()
                .filter(plugin -> plugin.config().type() == ProxyPluginConfig.Type.SNAPSHOT)
                .forEach(plugin -> snapshotters.put(plugin.config().id(), new GuardedSnapshotter(plugin)));
        return snapshotters;
    }

    /** For the table of plugins, as they stand now. */
    public List<Plugin> describe() {
        return plugins.stream().map(ProxyPlugin::describe).toList();
    }

    @Override
    public void close() {
        probes.shutdownNow();
        plugins.forEach(ProxyPlugin::close);
        channels.close();
    }
}
