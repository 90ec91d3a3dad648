package dev.longshore.sdk.content;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import java.util.List;
import java.util.function.Consumer;

/**
 * Keeps blobs by their digest.
 *
 * <p><b>Words.</b> A <i>blob</i> is complete and immutable. An <i>ingest</i> is a blob being written; it is named by its
 * <i>ref</i>, survives restarts, and one writer at a time holds it.
 *
 * <p><b>A story.</b> {@link #writer} opens the ref {@code layer-sha256:...}; the writer's status says that 10 MiB are
 * there from last time, so the caller sends what follows, and commits with the expected digest. {@link #reader} then
 * reads it at any offset.
 *
 * <p>Implementations are safe for use by many threads. Semantics follow containerd's {@code core/content/content.go}.
 */
public interface ContentStore extends AutoCloseable {

    /** @throws NotFoundException if there is no such blob */
    ContentInfo info(CallContext context, Digest digest);

    /**
     * Changes labels; nothing else of a blob can be changed.
     *
     * @param fieldPaths {@code labels} or {@code labels.<key>}; empty replaces all labels. An empty value deletes a label
     * @return the blob's info afterwards
     * @throws NotFoundException if there is no such blob
     * @throws InvalidArgumentException if a path is none of those
     */
    ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths);

    /**
     * Gives every blob that one of the filters takes, in no particular order; no filters take all.
     *
     * @param filters in containerd's filter grammar over digest, size and labels
     */
    void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink);

    /** @throws NotFoundException if there is no such blob */
    void delete(CallContext context, Digest digest);

    /** @throws NotFoundException if there is no such blob */
    ContentReader reader(CallContext context, Digest digest);

    /**
     * As {@link #reader}, for somebody who verifies each part of what he reads by himself, such as a lazy layer's chunks: a store that
     * has yet to fetch the blob need not fetch, and hold against its digest, more than is read.
     *
     * @throws NotFoundException if there is no such blob
     */
    default ContentReader partReader(CallContext context, Digest digest) {
        return reader(context, digest);
    }

    /** @throws NotFoundException if there is no ingest of that ref */
    IngestStatus status(CallContext context, String ref);

    /**
     * The ingests that one of the filters takes; no filters take all.
     *
     * @param filters over ref
     */
    List<IngestStatus> statuses(CallContext context, List<String> filters);

    /**
     * Drops an ingest and what was written to it. A writer that has it open fails from then on.
     *
     * @throws NotFoundException if there is no ingest of that ref
     */
    void abort(CallContext context, String ref);

    /**
     * Opens the ingest of {@code request.ref()}, making it if there is none.
     *
     * @throws AlreadyExistsException if the blob that the request expects exists
     * @throws UnavailableException if another writer holds the ref
     */
    ContentWriter writer(CallContext context, WriterRequest request);

    /** Releases what the store holds in this process; blobs and ingests stay. */
    @Override
    void close();
}
