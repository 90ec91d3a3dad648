package dev.longshore.sdk.content;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Optional;

/**
 * What to open a writer for.
 *
 * @param ref names the ingest; whoever opens the same ref later resumes it
 * @param total bytes expected in all; 0 if unknown
 * @param expected the digest of the whole, if known
 */
public record WriterRequest(String ref, long total, Optional<Digest> expected) {

    public WriterRequest {
        if (ref.isEmpty()) {
            throw new InvalidArgumentException("ref of an ingest must not be empty");
        }
        if (total < 0) {
            throw new InvalidArgumentException("total size %d of ingest %s is negative".formatted(total, ref));
        }
    }
}
