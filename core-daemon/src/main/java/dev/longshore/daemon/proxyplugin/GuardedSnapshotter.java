package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** The snapshotter of a plugin, each call by the rules of {@link ProxyPlugin#call}. */
final class GuardedSnapshotter implements Snapshotter {

    private final ProxyPlugin plugin;
    private final String name;

    GuardedSnapshotter(ProxyPlugin plugin) {
        this.plugin = plugin;
        this.name = plugin.config().id();
    }

    private <T> T call(String method, CallContext context, BiFunction<Snapshotter, CallContext, T> call) {
        return plugin.call(method, context, (connection, bounded) -> call.apply(connection.snapshotter(name), bounded));
    }

    private void run(String method, CallContext context, BiConsumer<Snapshotter, CallContext> call) {
        boolean done = call(method, context, (proxy, bounded) -> {
            call.accept(proxy, bounded);
            return true;
        });
        assert done;
    }

    private List<Mount> mounts(
            String method, CallContext context, BiFunction<Snapshotter, CallContext, List<Mount>> call) {
        return new MountCheck(plugin.config()).check(call(method, context, call));
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return call("stat", context, (proxy, bounded) -> proxy.stat(bounded, key));
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        return call("update", context, (proxy, bounded) -> proxy.update(bounded, info, fieldPaths));
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return call("usage", context, (proxy, bounded) -> proxy.usage(bounded, key));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return mounts("mounts", context, (proxy, bounded) -> proxy.mounts(bounded, key));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return mounts("prepare", context, (proxy, bounded) -> proxy.prepare(bounded, key, parent, labels));
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return mounts("view", context, (proxy, bounded) -> proxy.view(bounded, key, parent, labels));
    }

    @Override
    public void commit(
            CallContext context, String target, String key, Optional<String> parent, Map<String, String> labels) {
        run("commit", context, (proxy, bounded) -> proxy.commit(bounded, target, key, parent, labels));
    }

    @Override
    public void remove(CallContext context, String key) {
        run("remove", context, (proxy, bounded) -> proxy.remove(bounded, key));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        run("list", context, (proxy, bounded) -> proxy.list(bounded, filters, sink));
    }

    @Override
    public void cleanup(CallContext context) {
        run("cleanup", context, Snapshotter::cleanup);
    }

    /** Does nothing: the connection belongs to {@link ProxyPlugins}. */
    @Override
    public void close() {}
}
