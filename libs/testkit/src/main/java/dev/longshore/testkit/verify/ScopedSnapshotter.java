package dev.longshore.testkit.verify;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.testkit.verify.LivePlugin.Leftover;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * A part of a live snapshotter: the snapshots whose keys begin with a prefix, which is not seen from here. Closing removes all that
 * was made through it.
 */
final class ScopedSnapshotter implements Snapshotter {

    private final LivePlugin plugin;
    private final Snapshotter backend;
    private final String prefix;

    /** Keys and names as the backend has them, guarded by itself. In the order they were asked for. */
    private final Set<String> made = new LinkedHashSet<>();

    ScopedSnapshotter(LivePlugin plugin, String prefix) {
        plugin.begin();
        this.plugin = plugin;
        this.backend = plugin.connection().snapshotter(plugin.options().name());
        this.prefix = prefix;
    }

    /** No key and no parent stay what they are. */
    private String inner(String key) {
        return key.isEmpty() ? key : prefix + key;
    }

    private String outer(String key) {
        return key.startsWith(prefix) ? key.substring(prefix.length()) : key;
    }

    private SnapshotInfo outer(SnapshotInfo info) {
        return new SnapshotInfo(
                info.kind(), outer(info.name()), outer(info.parent()), info.labels(), info.created(), info.updated());
    }

    /** Before the call: it may have made the snapshot although it failed. */
    private void note(String key) {
        if (!key.isEmpty()) {
            synchronized (made) {
                made.remove(inner(key)); // a key that is used again is the latest
                made.add(inner(key));
            }
        }
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return plugin.call("Stat " + key, () -> outer(backend.stat(plugin.bounded(context), inner(key))));
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        SnapshotInfo mapped = new SnapshotInfo(
                info.kind(), inner(info.name()), inner(info.parent()), info.labels(), info.created(), info.updated());
        return plugin.call(
                "Update %s %s".formatted(info.name(), fieldPaths),
                () -> outer(backend.update(plugin.bounded(context), mapped, fieldPaths)));
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return plugin.call("Usage " + key, () -> backend.usage(plugin.bounded(context), inner(key)));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return plugin.call("Mounts " + key, () -> backend.mounts(plugin.bounded(context), inner(key)));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        note(key);
        return plugin.call(
                "Prepare %s on \"%s\"".formatted(key, parent),
                () -> backend.prepare(plugin.bounded(context), inner(key), inner(parent), labels));
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        note(key);
        return plugin.call(
                "View %s on \"%s\"".formatted(key, parent),
                () -> backend.view(plugin.bounded(context), inner(key), inner(parent), labels));
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        note(name);
        plugin.run(
                "Commit %s as %s".formatted(key, name),
                () -> backend.commit(
                        plugin.bounded(context), inner(name), inner(key), parent.map(this::inner), labels));
    }

    @Override
    public void remove(CallContext context, String key) {
        plugin.run("Remove " + key, () -> backend.remove(plugin.bounded(context), inner(key)));
    }

    /** What is done with each snapshot takes time too, so this has all that the caller has. */
    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        plugin.run(
                "List " + filters,
                () -> backend.list(context, filters, info -> {
                    if (info.name().startsWith(prefix)) {
                        sink.accept(outer(info));
                    }
                }));
    }

    @Override
    public void cleanup(CallContext context) {
        plugin.run("Cleanup", () -> backend.cleanup(plugin.bounded(context)));
    }

    @Override
    public void close() {
        List<Leftover> all;
        synchronized (made) {
            all = made.stream()
                    .map(key -> new Leftover(key, () -> backend.remove(plugin.contextToRemove(), key)))
                    .toList();
            made.clear();
        }
        plugin.remove(all);
    }
}
