package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.util.List;
import java.util.Map;

/**
 * A layer that was written.
 *
 * @param digest of the blob
 * @param size bytes of the blob
 * @param diffId digest of the uncompressed archive
 * @param annotations that its descriptor must have for it to be read a chunk at a time
 * @param missed prioritized paths that the layer does not have
 */
public record WrittenLayer(
        Digest digest, long size, Digest diffId, Map<String, String> annotations, List<String> missed) {

    public WrittenLayer {
        annotations = Map.copyOf(annotations);
        missed = List.copyOf(missed);
    }
}
