package dev.longshore.sdk.content;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;

/**
 * Writes one ingest. It holds the lock of its ref until it is closed; closing keeps what was written, so the ref can be
 * opened again. For one thread at a time.
 */
public interface ContentWriter extends AutoCloseable {

    /** The ingest as it stands; after a commit, what became of it. */
    IngestStatus status();

    /**
     * The digest of what was written so far, in the algorithm of the digest that was expected when the writer was opened, else
     * sha256; after a commit, that of the blob.
     */
    Digest digest();

    /**
     * Reads what was written and what will be, unverified, also when the writer has made a blob of it and is closed.
     *
     * @return to be closed by the caller; its size grows with what is written. Empty if the store cannot give it
     */
    default Optional<ContentReader> written() {
        return Optional.empty();
    }

    /** Appends what remains in {@code data}. */
    void write(ByteBuffer data);

    /**
     * Drops everything behind the first {@code size} bytes.
     *
     * @throws InvalidArgumentException if the implementation can only start over ({@code size} 0)
     */
    void truncate(long size);

    /**
     * Makes the ingest a blob, durably. The writer is closed afterwards, whether or not it worked.
     *
     * @param size bytes that must have been written; 0 for no check
     * @param expected the digest that they must have, of any algorithm; empty for no check
     * @param labels of the blob, where the store keeps them; see also {@link StoreLabels}
     * @throws FailedPreconditionException if size or digest differ, or the writer is closed
     * @throws AlreadyExistsException if the blob exists; the ingest is gone then
     */
    void commit(long size, Optional<Digest> expected, Map<String, String> labels);

    @Override
    void close();
}
