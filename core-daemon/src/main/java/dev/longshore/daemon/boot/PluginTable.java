package dev.longshore.daemon.boot;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import java.util.ArrayList;
import java.util.List;

/** The plugins as clients see them: what is built in, under containerd's names, and what is connected. */
final class PluginTable {

    private static final String SERVICE = "io.containerd.service.v1";
    private static final String GRPC = "io.containerd.grpc.v1";
    private static final String METADATA = "io.containerd.metadata.v1";

    private static final List<Plugin> BUILT_IN = List.of(
            Plugin.builtIn("io.containerd.event.v1", "exchange"),
            Plugin.builtIn("io.containerd.content.v1", "content"),
            Plugin.builtIn(METADATA, "sqlite", "io.containerd.content.v1", "io.containerd.snapshotter.v1"),
            Plugin.builtIn("io.containerd.gc.v1", "scheduler", METADATA),
            Plugin.builtIn("io.containerd.differ.v1", "walking", METADATA),
            Plugin.builtIn("io.containerd.runtime.v2", "task", "io.containerd.shim.v1"),
            Plugin.builtIn("io.containerd.shim.v1", "manager"),
            Plugin.builtIn("io.containerd.lease.v1", "manager", METADATA),
            Plugin.builtIn(SERVICE, "diff-service", "io.containerd.differ.v1"),
            Plugin.builtIn(SERVICE, "introspection-service"),
            Plugin.builtIn(GRPC, "containers", METADATA),
            Plugin.builtIn(GRPC, "content", METADATA),
            Plugin.builtIn(GRPC, "diff", SERVICE),
            Plugin.builtIn(GRPC, "events", "io.containerd.event.v1"),
            Plugin.builtIn(GRPC, "healthcheck"),
            Plugin.builtIn(GRPC, "images", METADATA),
            Plugin.builtIn(GRPC, "introspection", SERVICE),
            Plugin.builtIn(GRPC, "leases", METADATA),
            Plugin.builtIn(GRPC, "namespaces", METADATA),
            Plugin.builtIn(GRPC, "snapshots", METADATA),
            Plugin.builtIn(GRPC, "tasks", "io.containerd.runtime.v2"),
            Plugin.builtIn(GRPC, "version"));

    private final ProxyPlugins proxied;

    PluginTable(ProxyPlugins proxied) {
        this.proxied = proxied;
    }

    List<Plugin> plugins() {
        List<Plugin> plugins = new ArrayList<>(BUILT_IN);
        plugins.addAll(proxied.describe());
        return plugins;
    }
}
