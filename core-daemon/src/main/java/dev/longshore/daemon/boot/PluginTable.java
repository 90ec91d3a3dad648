package dev.longshore.daemon.boot;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnavailableException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The plugins as clients see them: what is built in, under containerd's names, and what is connected. */
final class PluginTable {

    private static final String SERVICE = "io.containerd.service.v1";
    private static final String GRPC = "io.containerd.grpc.v1";
    private static final String METADATA = "io.containerd.metadata.v1";

    /** Those of the built-in ones that the rest can do without, beside the services. */
    private static final Set<String> OPTIONAL = Set.of(
            "io.containerd.gc.v1.scheduler", "io.containerd.differ.v1.walking", "io.containerd.content.v1.content");

    private static final List<Plugin> BUILT_IN = List.of(
            Plugin.builtIn("io.containerd.event.v1", "exchange"),
            Plugin.builtIn("io.containerd.content.v1", "content"),
            Plugin.builtIn(METADATA, "sqlite", "io.containerd.content.v1", "io.containerd.snapshotter.v1"),
            Plugin.builtIn("io.containerd.gc.v1", "scheduler", METADATA),
            Plugin.builtIn("io.containerd.differ.v1", "walking", METADATA),
            Plugin.builtIn("io.containerd.runtime.v2", "task", "io.containerd.shim.v1"),
            Plugin.builtIn("io.containerd.shim.v1", "manager"),
            Plugin.builtIn("io.containerd.lease.v1", "manager", METADATA),
            Plugin.builtIn("io.containerd.streaming.v1", "manager"),
            Plugin.builtIn("io.containerd.transfer.v1", "local", METADATA, "io.containerd.differ.v1"),
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
            Plugin.builtIn(GRPC, "streaming", "io.containerd.streaming.v1"),
            Plugin.builtIn(GRPC, "tasks", "io.containerd.runtime.v2"),
            Plugin.builtIn(GRPC, "transfer", "io.containerd.transfer.v1", "io.containerd.streaming.v1"),
            Plugin.builtIn(GRPC, "version"));

    private final ProxyPlugins proxied;
    private final Set<String> disabled;

    /** @param disabled by type and id */
    PluginTable(ProxyPlugins proxied, Collection<String> disabled) {
        this.proxied = proxied;
        this.disabled = Set.copyOf(disabled);
    }

    /** The built-in plugins, by type and id. */
    static Set<String> builtIn() {
        return BUILT_IN.stream().map(Plugin::uri).collect(Collectors.toUnmodifiableSet());
    }

    /** Whether the daemon works without the built-in plugin {@code uri}. */
    static boolean isOptional(String uri) {
        return OPTIONAL.contains(uri) || uri.startsWith(GRPC + ".");
    }

    List<Plugin> plugins() {
        return Stream.concat(BUILT_IN.stream(), proxied.describe().stream())
                .filter(plugin -> !disabled.contains(plugin.uri()))
                .toList();
    }

    /**
     * Returns when all of these plugins can be used.
     *
     * @throws FailedPreconditionException if there is none of that name
     * @throws UnavailableException if one cannot be used within {@code patience}
     */
    void require(List<String> uris, Duration patience) {
        Deadline deadline = Deadline.after(patience);
        for (String uri : uris) {
            if (plugins().stream().noneMatch(plugin -> plugin.uri().equals(uri))) {
                throw new FailedPreconditionException(
                        "required plugin %s is not there: take it out of required_plugins, or configure it"
                                .formatted(uri));
            }
            proxied.require(uri, deadline);
        }
    }
}
