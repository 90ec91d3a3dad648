package dev.longshore.transport.proxy;

import com.google.protobuf.FieldMask;
import dev.longshore.api.services.snapshots.v1.CleanupRequest;
import dev.longshore.api.services.snapshots.v1.CommitSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.ListSnapshotsRequest;
import dev.longshore.api.services.snapshots.v1.MountsRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.RemoveSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc.SnapshotsBlockingStub;
import dev.longshore.api.services.snapshots.v1.StatSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.UpdateSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.UsageRequest;
import dev.longshore.api.services.snapshots.v1.UsageResponse;
import dev.longshore.api.services.snapshots.v1.ViewSnapshotRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.Protos;
import dev.longshore.transport.serve.SnapshotProtos;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** The snapshotter behind a socket. Every call has the deadline of its context. */
public final class ProxySnapshotter implements Snapshotter {

    private final SnapshotsBlockingStub stub;
    private final String name;

    /**
     * @param channel closed by who opened it
     * @param name sent in every request; one plugin program may serve several snapshotters by it
     */
    public ProxySnapshotter(Channel channel, String name) {
        this.stub = SnapshotsGrpc.newBlockingStub(channel);
        this.name = name;
    }

    private SnapshotsBlockingStub stub(CallContext context) {
        return CallContexts.send(stub, context);
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        var request = StatSnapshotRequest.newBuilder().setSnapshotter(name).setKey(key);
        var response = Unary.call(() -> stub(context).stat(request.build()));
        return Answer.of(() -> SnapshotProtos.record(response.getInfo()));
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        var request = UpdateSnapshotRequest.newBuilder()
                .setSnapshotter(name)
                .setInfo(SnapshotProtos.info(info))
                .setUpdateMask(FieldMask.newBuilder().addAllPaths(fieldPaths));
        var response = Unary.call(() -> stub(context).update(request.build()));
        return Answer.of(() -> SnapshotProtos.record(response.getInfo()));
    }

    @Override
    public Usage usage(CallContext context, String key) {
        var request = UsageRequest.newBuilder().setSnapshotter(name).setKey(key);
        UsageResponse usage = Unary.call(() -> stub(context).usage(request.build()));
        return new Usage(usage.getInodes(), usage.getSize());
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        var request = MountsRequest.newBuilder().setSnapshotter(name).setKey(key);
        return Protos.mountRecords(
                Unary.call(() -> stub(context).mounts(request.build())).getMountsList());
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        var request = PrepareSnapshotRequest.newBuilder()
                .setSnapshotter(name)
                .setKey(key)
                .setParent(parent)
                .putAllLabels(labels);
        return Protos.mountRecords(
                Unary.call(() -> stub(context).prepare(request.build())).getMountsList());
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        var request = ViewSnapshotRequest.newBuilder()
                .setSnapshotter(name)
                .setKey(key)
                .setParent(parent)
                .putAllLabels(labels);
        return Protos.mountRecords(
                Unary.call(() -> stub(context).view(request.build())).getMountsList());
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        var request = CommitSnapshotRequest.newBuilder()
                .setSnapshotter(this.name)
                .setName(name)
                .setKey(key)
                .setParent(parent.orElse(""))
                .putAllLabels(labels);
        var _ = Unary.call(() -> stub(context).commit(request.build()));
    }

    @Override
    public void remove(CallContext context, String key) {
        var request = RemoveSnapshotRequest.newBuilder().setSnapshotter(name).setKey(key);
        var _ = Unary.call(() -> stub(context).remove(request.build()));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        var request = ListSnapshotsRequest.newBuilder().setSnapshotter(name).addAllFilters(filters);
        // Ends the call on the other side too when the sink throws.
        try (CancellableContext call = Context.current().withCancellation()) {
            call.run(() -> {
                var responses = Unary.call(() -> stub(context).list(request.build()));
                while (Unary.call(responses::hasNext)) {
                    responses
                            .next()
                            .getInfoList()
                            .forEach(info -> sink.accept(Answer.of(() -> SnapshotProtos.record(info))));
                }
            });
        }
    }

    @Override
    public void cleanup(CallContext context) {
        var request = CleanupRequest.newBuilder().setSnapshotter(name);
        var _ = Unary.call(() -> stub(context).cleanup(request.build()));
    }

    /** Does nothing: the channel belongs to who opened it. */
    @Override
    public void close() {}
}
