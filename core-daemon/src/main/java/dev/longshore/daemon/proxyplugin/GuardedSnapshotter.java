package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** The snapshotter of a plugin, each call by the rules of {@link ProxyPlugin#call}. */
final class GuardedSnapshotter implements Snapshotter {

    private final ProxyPlugin plugin;
    private final Snapshotter proxy;

    GuardedSnapshotter(ProxyPlugin plugin) {
        this.plugin = plugin;
        this.proxy = plugin.connection().snapshotter(plugin.config().id());
    }

    private void run(String method, CallContext context, Consumer<CallContext> call) {
        boolean done = plugin.call(method, context, bounded -> {
            call.accept(bounded);
            return true;
        });
        assert done;
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return plugin.call("stat", context, bounded -> proxy.stat(bounded, key));
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        return plugin.call("update", context, bounded -> proxy.update(bounded, info, fieldPaths));
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return plugin.call("usage", context, bounded -> proxy.usage(bounded, key));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return plugin.call("mounts", context, bounded -> proxy.mounts(bounded, key));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return plugin.call("prepare", context, bounded -> proxy.prepare(bounded, key, parent, labels));
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return plugin.call("view", context, bounded -> proxy.view(bounded, key, parent, labels));
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        run("commit", context, bounded -> proxy.commit(bounded, name, key, parent, labels));
    }

    @Override
    public void remove(CallContext context, String key) {
        run("remove", context, bounded -> proxy.remove(bounded, key));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        run("list", context, bounded -> proxy.list(bounded, filters, sink));
    }

    @Override
    public void cleanup(CallContext context) {
        run("cleanup", context, proxy::cleanup);
    }

    /** Does nothing: the connection belongs to {@link ProxyPlugins}. */
    @Override
    public void close() {}
}
