package dev.longshore.daemon.service;

import dev.longshore.api.events.SnapshotCommit;
import dev.longshore.api.events.SnapshotPrepare;
import dev.longshore.api.events.SnapshotRemove;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** A snapshotter whose changes are published under {@code /snapshot}. */
public final class PublishingSnapshotter implements Snapshotter {

    private final String name;
    private final Snapshotter snapshotter;
    private final EventPublisher events;

    public PublishingSnapshotter(String name, Snapshotter snapshotter, EventPublisher events) {
        this.name = name;
        this.snapshotter = snapshotter;
        this.events = events;
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return snapshotter.stat(context, key);
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        return snapshotter.update(context, info, fieldPaths);
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return snapshotter.usage(context, key);
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return snapshotter.mounts(context, key);
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        List<Mount> mounts = snapshotter.prepare(context, key, parent, labels);
        prepared(context, key, parent);
        return mounts;
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        List<Mount> mounts = snapshotter.view(context, key, parent, labels);
        prepared(context, key, parent);
        return mounts;
    }

    private void prepared(CallContext context, String key, String parent) {
        events.publish(
                context.requireNamespace(),
                "/snapshot/prepare",
                SnapshotPrepare.newBuilder()
                        .setKey(key)
                        .setParent(parent)
                        .setSnapshotter(name)
                        .build());
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        snapshotter.commit(context, name, key, parent, labels);
        events.publish(
                context.requireNamespace(),
                "/snapshot/commit",
                SnapshotCommit.newBuilder()
                        .setKey(key)
                        .setName(name)
                        .setSnapshotter(this.name)
                        .build());
    }

    @Override
    public void remove(CallContext context, String key) {
        snapshotter.remove(context, key);
        events.publish(
                context.requireNamespace(),
                "/snapshot/remove",
                SnapshotRemove.newBuilder().setKey(key).setSnapshotter(name).build());
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        snapshotter.list(context, filters, sink);
    }

    @Override
    public void cleanup(CallContext context) {
        snapshotter.cleanup(context);
    }

    @Override
    public void close() {
        snapshotter.close();
    }
}
