package dev.longshore.daemon.service;

import com.google.protobuf.Empty;
import dev.longshore.api.services.images.v1.CreateImageRequest;
import dev.longshore.api.services.images.v1.CreateImageResponse;
import dev.longshore.api.services.images.v1.DeleteImageRequest;
import dev.longshore.api.services.images.v1.GetImageRequest;
import dev.longshore.api.services.images.v1.GetImageResponse;
import dev.longshore.api.services.images.v1.ImagesGrpc;
import dev.longshore.api.services.images.v1.ListImagesRequest;
import dev.longshore.api.services.images.v1.ListImagesResponse;
import dev.longshore.api.services.images.v1.UpdateImageRequest;
import dev.longshore.api.services.images.v1.UpdateImageResponse;
import dev.longshore.daemon.metadata.Image;
import dev.longshore.daemon.metadata.ImageStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.DescriptorProtos;
import dev.longshore.transport.serve.Protos;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.util.Optional;

/** Serves {@code containerd.services.images.v1.Images}. */
public final class ImagesService extends ImagesGrpc.ImagesImplBase {

    private final ImageStore images;
    private final PublishingImages published;
    private final EventPublisher events;
    private final GarbageCollection garbage;

    public ImagesService(ImageStore images, EventPublisher events, GarbageCollection garbage) {
        this.images = images;
        this.published = new PublishingImages(images, events);
        this.events = events;
        this.garbage = garbage;
    }

    @Override
    public void get(GetImageRequest request, StreamObserver<GetImageResponse> observer) {
        Unary.answer(
                observer,
                () -> GetImageResponse.newBuilder()
                        .setImage(proto(images.get(CallContexts.current().requireNamespace(), request.getName())))
                        .build());
    }

    @Override
    public void list(ListImagesRequest request, StreamObserver<ListImagesResponse> observer) {
        Unary.answer(
                observer,
                () -> ListImagesResponse.newBuilder()
                        .addAllImages(
                                images
                                        .list(CallContexts.current().requireNamespace(), request.getFiltersList())
                                        .stream()
                                        .map(ImagesService::proto)
                                        .toList())
                        .build());
    }

    @Override
    public void create(CreateImageRequest request, StreamObserver<CreateImageResponse> observer) {
        Unary.answer(observer, () -> {
            CallContext context = CallContexts.current();
            Image created = published.create(context, record(request.getImage()));
            return CreateImageResponse.newBuilder().setImage(proto(created)).build();
        });
    }

    @Override
    public void update(UpdateImageRequest request, StreamObserver<UpdateImageResponse> observer) {
        Unary.answer(observer, () -> {
            CallContext context = CallContexts.current();
            Image updated = published.update(
                    context, record(request.getImage()), request.getUpdateMask().getPathsList());
            return UpdateImageResponse.newBuilder().setImage(proto(updated)).build();
        });
    }

    @Override
    public void delete(DeleteImageRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            CallContext context = CallContexts.current();
            Optional<Digest> target = request.hasTarget()
                    ? Optional.of(Digest.parse(request.getTarget().getDigest()))
                    : Optional.empty();
            images.delete(context.requireNamespace(), request.getName(), target);
            events.imageRemoved(context.requireNamespace(), request.getName());
            if (request.getSync()) {
                garbage.collect(context);
            }
        });
    }

    /** A target that is unset is left to the store to refuse or, in an update by mask, to ignore. */
    private static Image record(dev.longshore.api.services.images.v1.Image image) {
        dev.longshore.sdk.oci.Descriptor target = image.getTarget().getDigest().isEmpty()
                ? new dev.longshore.sdk.oci.Descriptor("", Digest.sha256(new byte[0]), 0)
                : DescriptorProtos.record(image.getTarget());
        return new Image(image.getName(), target, image.getLabelsMap(), Instant.EPOCH, Instant.EPOCH);
    }

    private static dev.longshore.api.services.images.v1.Image proto(Image image) {
        return dev.longshore.api.services.images.v1.Image.newBuilder()
                .setName(image.name())
                .setTarget(DescriptorProtos.proto(image.target()))
                .putAllLabels(image.labels())
                .setCreatedAt(Protos.timestamp(image.created()))
                .setUpdatedAt(Protos.timestamp(image.updated()))
                .build();
    }
}
