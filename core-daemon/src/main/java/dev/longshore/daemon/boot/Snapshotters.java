package dev.longshore.daemon.boot;

import dev.longshore.daemon.gc.GarbageCollector.Backend;
import dev.longshore.daemon.metadata.MetadataSnapshotter;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.daemon.service.EventPublisher;
import dev.longshore.daemon.service.PublishingSnapshotter;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * The snapshotters that clients can name: metadata over whatever plugins there are at the moment. The plugins are asked each
 * time; what is kept here is only what belongs to one of them.
 */
final class Snapshotters {

    private final ProxyPlugins plugins;
    private final MetadataStore metadata;
    private final EventPublisher events;
    private final Map<String, Entry> entries = new ConcurrentHashMap<>();

    /**
     * One snapshotter.
     *
     * @param backend the plugin that it was made over
     * @param served the same with events, for clients
     */
    private record Entry(Snapshotter backend, MetadataSnapshotter metadata, Snapshotter served) {}

    Snapshotters(ProxyPlugins plugins, MetadataStore metadata, EventPublisher events) {
        this.plugins = plugins;
        this.metadata = metadata;
        this.events = events;
    }

    /**
     * What clients call {@code name}.
     *
     * @throws NotFoundException if no plugin of that name is configured
     */
    Snapshotter served(String name) {
        return entry(name).served();
    }

    /** Whether a snapshot of {@code name} takes a parent with its commit. */
    boolean rebases(String name) {
        return plugins.capabilities(name).contains("rebase");
    }

    /** Whether {@code name} is told where layers are to be had, as containerd's configuration has it. */
    boolean annotates(String name) {
        return "true".equals(plugins.exports(name).get("enable_remote_snapshot_annotations"));
    }

    /**
     * The metadata of what clients call {@code name}.
     *
     * @throws NotFoundException if no plugin of that name is configured
     */
    MetadataSnapshotter metadata(String name) {
        return entry(name).metadata();
    }

    private Entry entry(String name) {
        Snapshotter backend = plugins.snapshotter(name).orElseThrow(() -> missing(name));
        Entry known = entries.get(name);
        if (known != null && known.backend().equals(backend)) {
            return known;
        }
        return entries.compute(
                name, (key, entry) -> entry != null && entry.backend().equals(backend) ? entry : make(key, backend));
    }

    private Entry make(String name, Snapshotter backend) {
        MetadataSnapshotter snapshotter = metadata.snapshotter(name, backend);
        return new Entry(backend, snapshotter, new PublishingSnapshotter(name, snapshotter, events));
    }

    private NotFoundException missing(String name) {
        entries.remove(name);
        List<String> names = plugins.snapshotters();
        return new NotFoundException("snapshotter \"%s\" is not configured: there is %s; add one under [proxy_plugins]"
                .formatted(name, names.isEmpty() ? "none" : String.join(", ", names)));
    }

    /**
     * Where snapshots may be that nobody knows any more.
     *
     * @param afterwards told of each snapshotter whose garbage was removed
     */
    List<Backend> garbage(Consumer<String> afterwards) {
        List<Backend> backends = new ArrayList<>();
        for (String name : plugins.snapshotters()) {
            backends.add(new Backend("snapshotter " + name, context -> {
                MetadataSnapshotter snapshotter = metadata(name);
                snapshotter.settle();
                int removed = snapshotter.removeGarbage(context);
                afterwards.accept(name);
                return removed;
            }));
        }
        return backends;
    }
}
