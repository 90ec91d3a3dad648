package dev.longshore.sdk.content;

import dev.longshore.sdk.digest.Digest;
import java.time.Instant;
import java.util.Map;

/**
 * What is known of a blob.
 *
 * @param size bytes
 * @param labels unmodifiable
 */
public record ContentInfo(Digest digest, long size, Instant created, Instant updated, Map<String, String> labels) {

    public ContentInfo {
        labels = Map.copyOf(labels);
    }
}
