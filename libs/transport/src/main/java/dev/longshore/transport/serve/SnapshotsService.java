package dev.longshore.transport.serve;

import com.google.protobuf.Empty;
import dev.longshore.api.services.snapshots.v1.CleanupRequest;
import dev.longshore.api.services.snapshots.v1.CommitSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.ListSnapshotsRequest;
import dev.longshore.api.services.snapshots.v1.ListSnapshotsResponse;
import dev.longshore.api.services.snapshots.v1.MountsRequest;
import dev.longshore.api.services.snapshots.v1.MountsResponse;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotResponse;
import dev.longshore.api.services.snapshots.v1.RemoveSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.snapshots.v1.StatSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.StatSnapshotResponse;
import dev.longshore.api.services.snapshots.v1.UpdateSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.UpdateSnapshotResponse;
import dev.longshore.api.services.snapshots.v1.UsageRequest;
import dev.longshore.api.services.snapshots.v1.UsageResponse;
import dev.longshore.api.services.snapshots.v1.ViewSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.ViewSnapshotResponse;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Serves {@code containerd.services.snapshots.v1.Snapshots} over the contract {@link Snapshotter}. */
public final class SnapshotsService extends SnapshotsGrpc.SnapshotsImplBase {

    /** Snapshots in one message of a list. */
    private static final int LIST_BATCH = 100;

    private final Function<String, Snapshotter> snapshotters;

    /**
     * @param snapshotters finds a snapshotter by the name in the request, or throws; a plugin has one, whatever the name
     */
    public SnapshotsService(Function<String, Snapshotter> snapshotters) {
        this.snapshotters = snapshotters;
    }

    @Override
    public void prepare(PrepareSnapshotRequest request, StreamObserver<PrepareSnapshotResponse> observer) {
        Unary.answer(
                observer,
                () -> PrepareSnapshotResponse.newBuilder()
                        .addAllMounts(Protos.mounts(snapshotters
                                .apply(request.getSnapshotter())
                                .prepare(
                                        CallContexts.current(),
                                        request.getKey(),
                                        request.getParent(),
                                        Labels.check(request.getLabelsMap()))))
                        .build());
    }

    @Override
    public void view(ViewSnapshotRequest request, StreamObserver<ViewSnapshotResponse> observer) {
        Unary.answer(
                observer,
                () -> ViewSnapshotResponse.newBuilder()
                        .addAllMounts(Protos.mounts(snapshotters
                                .apply(request.getSnapshotter())
                                .view(
                                        CallContexts.current(),
                                        request.getKey(),
                                        request.getParent(),
                                        Labels.check(request.getLabelsMap()))))
                        .build());
    }

    @Override
    public void mounts(MountsRequest request, StreamObserver<MountsResponse> observer) {
        Unary.answer(
                observer,
                () -> MountsResponse.newBuilder()
                        .addAllMounts(Protos.mounts(snapshotters
                                .apply(request.getSnapshotter())
                                .mounts(CallContexts.current(), request.getKey())))
                        .build());
    }

    @Override
    public void commit(CommitSnapshotRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> snapshotters
                        .apply(request.getSnapshotter())
                        .commit(
                                CallContexts.current(),
                                request.getName(),
                                request.getKey(),
                                Optional.of(request.getParent()).filter(parent -> !parent.isEmpty()),
                                Labels.check(request.getLabelsMap())));
    }

    @Override
    public void remove(RemoveSnapshotRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> snapshotters.apply(request.getSnapshotter()).remove(CallContexts.current(), request.getKey()));
    }

    @Override
    public void stat(StatSnapshotRequest request, StreamObserver<StatSnapshotResponse> observer) {
        Unary.answer(
                observer,
                () -> StatSnapshotResponse.newBuilder()
                        .setInfo(SnapshotProtos.info(snapshotters
                                .apply(request.getSnapshotter())
                                .stat(CallContexts.current(), request.getKey())))
                        .build());
    }

    @Override
    public void update(UpdateSnapshotRequest request, StreamObserver<UpdateSnapshotResponse> observer) {
        Unary.answer(observer, () -> {
            SnapshotInfo info = SnapshotProtos.record(request.getInfo());
            Labels.check(info.labels());
            return UpdateSnapshotResponse.newBuilder()
                    .setInfo(SnapshotProtos.info(snapshotters
                            .apply(request.getSnapshotter())
                            .update(CallContexts.current(), info, Protos.paths(request.getUpdateMask()))))
                    .build();
        });
    }

    @Override
    public void list(ListSnapshotsRequest request, StreamObserver<ListSnapshotsResponse> observer) {
        Unary.stream(observer, sink -> {
            List<SnapshotInfo> batch = new ArrayList<>(LIST_BATCH);
            snapshotters
                    .apply(request.getSnapshotter())
                    .list(CallContexts.current(), request.getFiltersList(), info -> {
                        batch.add(info);
                        if (batch.size() == LIST_BATCH) {
                            sink.accept(listed(batch));
                            batch.clear();
                        }
                    });
            if (!batch.isEmpty()) {
                sink.accept(listed(batch));
            }
        });
    }

    private static ListSnapshotsResponse listed(List<SnapshotInfo> infos) {
        return ListSnapshotsResponse.newBuilder()
                .addAllInfo(infos.stream().map(SnapshotProtos::info).toList())
                .build();
    }

    @Override
    public void usage(UsageRequest request, StreamObserver<UsageResponse> observer) {
        Unary.answer(observer, () -> {
            Usage usage = snapshotters.apply(request.getSnapshotter()).usage(CallContexts.current(), request.getKey());
            return UsageResponse.newBuilder()
                    .setInodes(usage.inodes())
                    .setSize(usage.size())
                    .build();
        });
    }

    @Override
    public void cleanup(CleanupRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer, () -> snapshotters.apply(request.getSnapshotter()).cleanup(CallContexts.current()));
    }
}
