package dev.longshore.daemon.service;

import com.google.protobuf.Empty;
import dev.longshore.api.services.leases.v1.AddResourceRequest;
import dev.longshore.api.services.leases.v1.CreateRequest;
import dev.longshore.api.services.leases.v1.CreateResponse;
import dev.longshore.api.services.leases.v1.DeleteRequest;
import dev.longshore.api.services.leases.v1.DeleteResourceRequest;
import dev.longshore.api.services.leases.v1.LeasesGrpc;
import dev.longshore.api.services.leases.v1.ListRequest;
import dev.longshore.api.services.leases.v1.ListResourcesRequest;
import dev.longshore.api.services.leases.v1.ListResourcesResponse;
import dev.longshore.api.services.leases.v1.ListResponse;
import dev.longshore.api.services.leases.v1.Resource;
import dev.longshore.daemon.metadata.Lease;
import dev.longshore.daemon.metadata.LeaseResource;
import dev.longshore.daemon.metadata.LeaseStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.Protos;
import io.grpc.stub.StreamObserver;
import java.util.UUID;

/** Serves {@code containerd.services.leases.v1.Leases}. */
public final class LeasesService extends LeasesGrpc.LeasesImplBase {

    private final LeaseStore leases;
    private final GarbageCollection garbage;

    public LeasesService(LeaseStore leases, GarbageCollection garbage) {
        this.leases = leases;
        this.garbage = garbage;
    }

    @Override
    public void create(CreateRequest request, StreamObserver<CreateResponse> observer) {
        Unary.answer(observer, () -> {
            String id = request.getId().isEmpty() ? UUID.randomUUID().toString() : request.getId();
            Lease lease = leases.create(CallContexts.current().requireNamespace(), id, request.getLabelsMap());
            return CreateResponse.newBuilder().setLease(proto(lease)).build();
        });
    }

    @Override
    public void delete(DeleteRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            CallContext context = CallContexts.current();
            leases.delete(context.requireNamespace(), request.getId());
            if (request.getSync()) {
                garbage.collect(context);
            }
        });
    }

    @Override
    public void list(ListRequest request, StreamObserver<ListResponse> observer) {
        Unary.answer(
                observer,
                () -> ListResponse.newBuilder()
                        .addAllLeases(
                                leases
                                        .list(CallContexts.current().requireNamespace(), request.getFiltersList())
                                        .stream()
                                        .map(LeasesService::proto)
                                        .toList())
                        .build());
    }

    @Override
    public void addResource(AddResourceRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> leases.add(
                        CallContexts.current().requireNamespace(), request.getId(), resource(request.getResource())));
    }

    @Override
    public void deleteResource(DeleteResourceRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> leases.remove(
                        CallContexts.current().requireNamespace(), request.getId(), resource(request.getResource())));
    }

    @Override
    public void listResources(ListResourcesRequest request, StreamObserver<ListResourcesResponse> observer) {
        Unary.answer(
                observer,
                () -> ListResourcesResponse.newBuilder()
                        .addAllResources(
                                leases.resources(CallContexts.current().requireNamespace(), request.getId()).stream()
                                        .map(resource -> Resource.newBuilder()
                                                .setType(resource.type())
                                                .setId(resource.id())
                                                .build())
                                        .toList())
                        .build());
    }

    private static LeaseResource resource(Resource resource) {
        return new LeaseResource(resource.getType(), resource.getId());
    }

    private static dev.longshore.api.services.leases.v1.Lease proto(Lease lease) {
        return dev.longshore.api.services.leases.v1.Lease.newBuilder()
                .setId(lease.id())
                .setCreatedAt(Protos.timestamp(lease.created()))
                .putAllLabels(lease.labels())
                .build();
    }
}
