package dev.longshore.daemon.runtime;

import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;

/** Where events go. */
@FunctionalInterface
public interface EventPublisher {

    void publish(NamespaceId namespace, String topic, TypedValue event);
}
