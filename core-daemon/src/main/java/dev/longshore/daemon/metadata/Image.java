package dev.longshore.daemon.metadata;

import dev.longshore.sdk.oci.Descriptor;
import java.time.Instant;
import java.util.Map;

/** A name for a descriptor. */
public record Image(String name, Descriptor target, Map<String, String> labels, Instant created, Instant updated) {

    public Image {
        labels = Map.copyOf(labels);
    }
}
