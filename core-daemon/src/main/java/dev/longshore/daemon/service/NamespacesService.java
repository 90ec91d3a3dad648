package dev.longshore.daemon.service;

import com.google.protobuf.Empty;
import dev.longshore.api.events.NamespaceCreate;
import dev.longshore.api.events.NamespaceDelete;
import dev.longshore.api.events.NamespaceUpdate;
import dev.longshore.api.services.namespaces.v1.CreateNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.CreateNamespaceResponse;
import dev.longshore.api.services.namespaces.v1.DeleteNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.GetNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.GetNamespaceResponse;
import dev.longshore.api.services.namespaces.v1.ListNamespacesRequest;
import dev.longshore.api.services.namespaces.v1.ListNamespacesResponse;
import dev.longshore.api.services.namespaces.v1.NamespacesGrpc;
import dev.longshore.api.services.namespaces.v1.UpdateNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.UpdateNamespaceResponse;
import dev.longshore.daemon.metadata.Namespace;
import dev.longshore.daemon.metadata.NamespaceStore;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;

/** Serves {@code containerd.services.namespaces.v1.Namespaces}. */
public final class NamespacesService extends NamespacesGrpc.NamespacesImplBase {

    private final NamespaceStore namespaces;
    private final EventPublisher events;

    public NamespacesService(NamespaceStore namespaces, EventPublisher events) {
        this.namespaces = namespaces;
        this.events = events;
    }

    @Override
    public void get(GetNamespaceRequest request, StreamObserver<GetNamespaceResponse> observer) {
        Unary.answer(
                observer,
                () -> GetNamespaceResponse.newBuilder()
                        .setNamespace(proto(namespaces.get(new NamespaceId(request.getName()))))
                        .build());
    }

    @Override
    public void list(ListNamespacesRequest request, StreamObserver<ListNamespacesResponse> observer) {
        Unary.answer(
                observer,
                () -> ListNamespacesResponse.newBuilder()
                        .addAllNamespaces(namespaces.list().stream()
                                .map(NamespacesService::proto)
                                .toList())
                        .build());
    }

    @Override
    public void create(CreateNamespaceRequest request, StreamObserver<CreateNamespaceResponse> observer) {
        Unary.answer(observer, () -> {
            Namespace namespace = new Namespace(
                    new NamespaceId(request.getNamespace().getName()),
                    request.getNamespace().getLabelsMap());
            namespaces.create(namespace);
            events.publish(
                    namespace.id(),
                    "/namespaces/create",
                    NamespaceCreate.newBuilder()
                            .setName(namespace.id().value())
                            .putAllLabels(namespace.labels())
                            .build());
            return CreateNamespaceResponse.newBuilder()
                    .setNamespace(proto(namespace))
                    .build();
        });
    }

    @Override
    public void update(UpdateNamespaceRequest request, StreamObserver<UpdateNamespaceResponse> observer) {
        Unary.answer(observer, () -> {
            Namespace updated = namespaces.update(
                    new NamespaceId(request.getNamespace().getName()),
                    request.getNamespace().getLabelsMap(),
                    request.getUpdateMask().getPathsList());
            events.publish(
                    updated.id(),
                    "/namespaces/update",
                    NamespaceUpdate.newBuilder()
                            .setName(updated.id().value())
                            .putAllLabels(updated.labels())
                            .build());
            return UpdateNamespaceResponse.newBuilder()
                    .setNamespace(proto(updated))
                    .build();
        });
    }

    @Override
    public void delete(DeleteNamespaceRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            NamespaceId id = new NamespaceId(request.getName());
            namespaces.delete(id);
            events.publish(
                    id,
                    "/namespaces/delete",
                    NamespaceDelete.newBuilder().setName(id.value()).build());
        });
    }

    private static dev.longshore.api.services.namespaces.v1.Namespace proto(Namespace namespace) {
        return dev.longshore.api.services.namespaces.v1.Namespace.newBuilder()
                .setName(namespace.id().value())
                .putAllLabels(namespace.labels())
                .build();
    }
}
