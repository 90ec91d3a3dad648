package dev.longshore.sdk.oci;

import dev.longshore.sdk.digest.Digest;
import java.util.Map;

/**
 * Names a blob and says what it is.
 *
 * @param size bytes
 * @param annotations unmodifiable
 */
public record Descriptor(String mediaType, Digest digest, long size, Map<String, String> annotations) {

    public Descriptor {
        annotations = Map.copyOf(annotations);
    }

    public Descriptor(String mediaType, Digest digest, long size) {
        this(mediaType, digest, size, Map.of());
    }
}
