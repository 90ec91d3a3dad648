package dev.longshore.transport.serve;

import dev.longshore.api.services.diff.v1.ApplyRequest;
import dev.longshore.api.services.diff.v1.ApplyResponse;
import dev.longshore.api.services.diff.v1.DiffGrpc;
import dev.longshore.api.services.diff.v1.DiffRequest;
import dev.longshore.api.services.diff.v1.DiffResponse;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Interruptible;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Serves {@code containerd.services.diff.v1.Diff} over the contracts {@link Applier} and {@link Comparer}. They are tried in
 * their order, the next only when one does not have the media type at all.
 */
public final class DiffService extends DiffGrpc.DiffImplBase {

    private final Supplier<? extends List<? extends Applier>> appliers;
    private final Supplier<? extends List<? extends Comparer>> comparers;
    private final boolean alwaysSync;

    /**
     * @param appliers asked for with each call, as are the comparers
     * @param alwaysSync whether file systems are flushed after each layer even if the client does not ask for it
     */
    public DiffService(
            Supplier<? extends List<? extends Applier>> appliers,
            Supplier<? extends List<? extends Comparer>> comparers,
            boolean alwaysSync) {
        this.appliers = appliers;
        this.comparers = comparers;
        this.alwaysSync = alwaysSync;
    }

    @Override
    public void apply(ApplyRequest request, StreamObserver<ApplyResponse> observer) {
        Unary.answer(observer, () -> {
            Map<String, TypedValue> payloads = new HashMap<>();
            request.getPayloadsMap()
                    .forEach((id, value) -> payloads.put(
                            id,
                            new TypedValue(value.getTypeUrl(), value.getValue().toByteArray())));
            return ApplyResponse.newBuilder()
                    // A layer takes long, and programs may work on it: they end with the call.
                    .setApplied(DescriptorProtos.proto(Interruptible.call(() -> first(
                            appliers.get(),
                            applier -> applier.apply(
                                    CallContexts.current(),
                                    DescriptorProtos.record(request.getDiff()),
                                    Protos.mountRecords(request.getMountsList()),
                                    payloads,
                                    alwaysSync || request.getSyncFs())))))
                    .build();
        });
    }

    @Override
    public void diff(DiffRequest request, StreamObserver<DiffResponse> observer) {
        Unary.answer(observer, () -> {
            Optional<Instant> epoch = request.hasSourceDateEpoch()
                    ? Optional.of(Protos.instant(request.getSourceDateEpoch()))
                    : Optional.empty();
            CompareOptions options = new CompareOptions(
                    request.getMediaType(), request.getRef(), Labels.check(request.getLabelsMap()), epoch);
            return DiffResponse.newBuilder()
                    .setDiff(DescriptorProtos.proto(first(
                            comparers.get(),
                            comparer -> comparer.compare(
                                    CallContexts.current(),
                                    Protos.mountRecords(request.getLeftList()),
                                    Protos.mountRecords(request.getRightList()),
                                    options))))
                    .build();
        });
    }

    private static <D, R> R first(List<? extends D> differs, Function<D, R> call) {
        UnimplementedException last = new UnimplementedException("there is no differ");
        for (D differ : differs) {
            try {
                return call.apply(differ);
            } catch (UnimplementedException e) {
                last = e;
            }
        }
        throw last;
    }
}
