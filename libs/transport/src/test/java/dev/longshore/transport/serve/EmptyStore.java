package dev.longshore.transport.serve;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;

/** A content store that has nothing, and takes nothing. */
final class EmptyStore implements ContentStore {

    final CountDownLatch closed = new CountDownLatch(1);

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        throw missing(digest);
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        throw missing(info.digest());
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {}

    @Override
    public void delete(CallContext context, Digest digest) {
        throw missing(digest);
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        throw missing(digest);
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        throw new NotFoundException("ingest " + ref + " not found");
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        return List.of();
    }

    @Override
    public void abort(CallContext context, String ref) {
        throw new NotFoundException("ingest " + ref + " not found");
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        throw new UnimplementedException("this store is read-only");
    }

    private static NotFoundException missing(Digest digest) {
        return new NotFoundException("content " + digest + " not found");
    }

    @Override
    public void close() {
        closed.countDown();
    }
}
