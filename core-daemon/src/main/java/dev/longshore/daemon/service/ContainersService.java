package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import dev.longshore.api.events.ContainerCreate;
import dev.longshore.api.events.ContainerDelete;
import dev.longshore.api.events.ContainerUpdate;
import dev.longshore.api.services.containers.v1.ContainersGrpc;
import dev.longshore.api.services.containers.v1.CreateContainerRequest;
import dev.longshore.api.services.containers.v1.CreateContainerResponse;
import dev.longshore.api.services.containers.v1.DeleteContainerRequest;
import dev.longshore.api.services.containers.v1.GetContainerRequest;
import dev.longshore.api.services.containers.v1.GetContainerResponse;
import dev.longshore.api.services.containers.v1.ListContainerMessage;
import dev.longshore.api.services.containers.v1.ListContainersRequest;
import dev.longshore.api.services.containers.v1.ListContainersResponse;
import dev.longshore.api.services.containers.v1.UpdateContainerRequest;
import dev.longshore.api.services.containers.v1.UpdateContainerResponse;
import dev.longshore.daemon.metadata.Container;
import dev.longshore.daemon.metadata.ContainerStore;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.Protos;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/** Serves {@code containerd.services.containers.v1.Containers}. */
public final class ContainersService extends ContainersGrpc.ContainersImplBase {

    private final ContainerStore containers;
    private final EventPublisher events;

    public ContainersService(ContainerStore containers, EventPublisher events) {
        this.containers = containers;
        this.events = events;
    }

    @Override
    public void get(GetContainerRequest request, StreamObserver<GetContainerResponse> observer) {
        Unary.answer(
                observer,
                () -> GetContainerResponse.newBuilder()
                        .setContainer(
                                proto(containers.get(CallContexts.current().requireNamespace(), request.getId())))
                        .build());
    }

    @Override
    public void list(ListContainersRequest request, StreamObserver<ListContainersResponse> observer) {
        Unary.answer(
                observer,
                () -> ListContainersResponse.newBuilder()
                        .addAllContainers(
                                containers
                                        .list(CallContexts.current().requireNamespace(), request.getFiltersList())
                                        .stream()
                                        .map(ContainersService::proto)
                                        .toList())
                        .build());
    }

    @Override
    public void listStream(ListContainersRequest request, StreamObserver<ListContainerMessage> observer) {
        Unary.stream(
                observer,
                sink -> containers
                        .list(CallContexts.current().requireNamespace(), request.getFiltersList())
                        .forEach(container -> sink.accept(ListContainerMessage.newBuilder()
                                .setContainer(proto(container))
                                .build())));
    }

    @Override
    public void create(CreateContainerRequest request, StreamObserver<CreateContainerResponse> observer) {
        Unary.answer(observer, () -> {
            NamespaceId namespace = CallContexts.current().requireNamespace();
            Container created = containers.create(namespace, record(request.getContainer()));
            ContainerCreate.Builder event =
                    ContainerCreate.newBuilder().setId(created.id()).setImage(created.image());
            event.getRuntimeBuilder().setName(created.runtime());
            created.options().ifPresent(options -> event.getRuntimeBuilder().setOptions(Types.any(options)));
            events.publish(namespace, "/containers/create", event.build());
            return CreateContainerResponse.newBuilder()
                    .setContainer(proto(created))
                    .build();
        });
    }

    @Override
    public void update(UpdateContainerRequest request, StreamObserver<UpdateContainerResponse> observer) {
        Unary.answer(observer, () -> {
            NamespaceId namespace = CallContexts.current().requireNamespace();
            Container updated = containers.update(
                    namespace,
                    record(request.getContainer()),
                    request.getUpdateMask().getPathsList());
            events.publish(
                    namespace,
                    "/containers/update",
                    ContainerUpdate.newBuilder()
                            .setId(updated.id())
                            .setImage(updated.image())
                            .putAllLabels(updated.labels())
                            .setSnapshotKey(updated.snapshotKey())
                            .build());
            return UpdateContainerResponse.newBuilder()
                    .setContainer(proto(updated))
                    .build();
        });
    }

    @Override
    public void delete(DeleteContainerRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            NamespaceId namespace = CallContexts.current().requireNamespace();
            containers.delete(namespace, request.getId());
            events.publish(
                    namespace,
                    "/containers/delete",
                    ContainerDelete.newBuilder().setId(request.getId()).build());
        });
    }

    private static Container record(dev.longshore.api.services.containers.v1.Container container) {
        Map<String, TypedValue> extensions = new HashMap<>();
        container.getExtensionsMap().forEach((name, value) -> extensions.put(name, Types.typed(value)));
        return new Container(
                container.getId(),
                container.getImage(),
                container.getRuntime().getName(),
                Types.typed(
                        container.getRuntime().hasOptions(),
                        container.getRuntime().getOptions()),
                Types.typed(container.hasSpec(), container.getSpec()),
                container.getSnapshotter(),
                container.getSnapshotKey(),
                container.getSandbox(),
                container.getLabelsMap(),
                extensions,
                Instant.EPOCH,
                Instant.EPOCH);
    }

    private static dev.longshore.api.services.containers.v1.Container proto(Container container) {
        var builder = dev.longshore.api.services.containers.v1.Container.newBuilder()
                .setId(container.id())
                .putAllLabels(container.labels())
                .setImage(container.image())
                .setSnapshotter(container.snapshotter())
                .setSnapshotKey(container.snapshotKey())
                .setSandbox(container.sandbox())
                .setCreatedAt(Protos.timestamp(container.created()))
                .setUpdatedAt(Protos.timestamp(container.updated()));
        builder.getRuntimeBuilder().setName(container.runtime());
        container.options().ifPresent(options -> builder.getRuntimeBuilder().setOptions(Types.any(options)));
        container.spec().ifPresent(spec -> builder.setSpec(Types.any(spec)));
        Map<String, Any> extensions = new HashMap<>();
        container.extensions().forEach((name, value) -> extensions.put(name, Types.any(value)));
        return builder.putAllExtensions(extensions).build();
    }
}
