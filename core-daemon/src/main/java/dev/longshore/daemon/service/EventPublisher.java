package dev.longshore.daemon.service;

import com.google.protobuf.Message;
import dev.longshore.api.events.ImageDelete;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;

/** Publishes events of the daemon's own. */
public final class EventPublisher {

    private final EventExchange exchange;

    public EventPublisher(EventExchange exchange) {
        this.exchange = exchange;
    }

    /** @param event of {@code dev.longshore.api.events}; its type goes out without protobuf's prefix, as Go's typeurl has it */
    public void publish(NamespaceId namespace, String topic, Message event) {
        exchange.publish(
                namespace, topic, new TypedValue(event.getDescriptorForType().getFullName(), event.toByteArray()));
    }

    /** Publishes that an image is gone. */
    public void imageRemoved(NamespaceId namespace, String name) {
        publish(
                namespace,
                "/images/delete",
                ImageDelete.newBuilder().setName(name).build());
    }
}
