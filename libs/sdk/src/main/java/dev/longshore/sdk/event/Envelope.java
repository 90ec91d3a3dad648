package dev.longshore.sdk.event;

import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Instant;

/**
 * An event as it is published and delivered.
 *
 * @param topic e.g. {@code /tasks/exit}
 */
public record Envelope(Instant timestamp, NamespaceId namespace, String topic, TypedValue event) {}
