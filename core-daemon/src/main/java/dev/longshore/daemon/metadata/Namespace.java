package dev.longshore.daemon.metadata;

import dev.longshore.sdk.namespace.NamespaceId;
import java.util.Map;

/** A namespace. */
public record Namespace(NamespaceId id, Map<String, String> labels) {

    public Namespace {
        labels = Map.copyOf(labels);
    }
}
