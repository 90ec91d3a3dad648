package dev.longshore.daemon.service;

import dev.longshore.api.events.ImageCreate;
import dev.longshore.api.events.ImageUpdate;
import dev.longshore.daemon.metadata.Image;
import dev.longshore.daemon.metadata.ImageStore;
import dev.longshore.daemon.transfer.TransferStores.Images;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.oci.Descriptor;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** The names of images, whose changes are published as events. */
public final class PublishingImages implements Images {

    private final ImageStore images;
    private final EventPublisher events;

    public PublishingImages(ImageStore images, EventPublisher events) {
        this.images = images;
        this.events = events;
    }

    Image create(CallContext context, Image image) {
        Image created = images.create(context, image);
        events.publish(
                context.requireNamespace(),
                "/images/create",
                ImageCreate.newBuilder()
                        .setName(created.name())
                        .putAllLabels(created.labels())
                        .build());
        return created;
    }

    Image update(CallContext context, Image image, List<String> paths) {
        Image updated = images.update(context, image, paths);
        events.publish(
                context.requireNamespace(),
                "/images/update",
                ImageUpdate.newBuilder()
                        .setName(updated.name())
                        .putAllLabels(updated.labels())
                        .build());
        return updated;
    }

    @Override
    public Descriptor get(CallContext context, String name) {
        return images.get(context.requireNamespace(), name).target();
    }

    @Override
    public void put(CallContext context, String name, Descriptor target, Map<String, String> labels) {
        Image image = new Image(name, target, labels, Instant.EPOCH, Instant.EPOCH);
        try {
            var _ = create(context, image);
        } catch (AlreadyExistsException e) {
            var _ = update(context, image, List.of());
        }
    }
}
