package dev.longshore.sdk.diff;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * How to make a layer.
 *
 * @param mediaType empty for the default, gzip
 * @param ref of the ingest; empty for a name of the comparer's choice
 * @param labels for the blob
 * @param sourceDateEpoch no time stamp in the layer is later than this
 */
public record CompareOptions(
        String mediaType, String ref, Map<String, String> labels, Optional<Instant> sourceDateEpoch) {

    public CompareOptions {
        labels = Map.copyOf(labels);
    }
}
