package dev.longshore.daemon.service;

import com.google.protobuf.Message;
import dev.longshore.api.events.ImageDelete;
import dev.longshore.api.longshore.events.v1.PluginState;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.serve.Protos;
import java.time.Instant;

/** Publishes events of the daemon's own. */
public final class EventPublisher {

    private static final NamespaceId PLUGINS = new NamespaceId("longshore");

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

    /**
     * Publishes that a plugin has come to another state. It concerns no namespace of a client's, so it has one of its own.
     *
     * @param state e.g. {@code ready}
     * @param problem empty for none
     */
    public void pluginState(
            String type, String id, String address, String state, String previous, String problem, Instant since) {
        publish(
                PLUGINS,
                "/plugins/state",
                PluginState.newBuilder()
                        .setType(type)
                        .setId(id)
                        .setAddress(address)
                        .setState(state)
                        .setPrevious(previous)
                        .setProblem(problem)
                        .setSince(Protos.timestamp(since))
                        .build());
    }
}
