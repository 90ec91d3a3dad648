package dev.longshore.sdk.oci;

import dev.longshore.sdk.digest.Digest;
import java.util.List;
import java.util.Map;

/**
 * Names a blob and says what it is.
 *
 * @param size bytes
 * @param annotations unmodifiable
 * @param urls where the blob may be had from, besides where the descriptor was; unmodifiable, in the order of preference
 */
public record Descriptor(
        String mediaType, Digest digest, long size, Map<String, String> annotations, List<String> urls) {

    public Descriptor {
        annotations = Map.copyOf(annotations);
        urls = List.copyOf(urls);
    }

    public Descriptor(String mediaType, Digest digest, long size, Map<String, String> annotations) {
        this(mediaType, digest, size, annotations, List.of());
    }

    public Descriptor(String mediaType, Digest digest, long size) {
        this(mediaType, digest, size, Map.of());
    }
}
