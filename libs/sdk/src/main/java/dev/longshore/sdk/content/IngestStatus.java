package dev.longshore.sdk.content;

import dev.longshore.sdk.digest.Digest;
import java.time.Instant;
import java.util.Optional;

/**
 * The state of an ingest.
 *
 * @param offset bytes written so far
 * @param total bytes expected in all; 0 if unknown
 * @param expected the digest that a commit will be checked against, if the caller named one
 */
public record IngestStatus(
        String ref, long offset, long total, Optional<Digest> expected, Instant started, Instant updated) {}
