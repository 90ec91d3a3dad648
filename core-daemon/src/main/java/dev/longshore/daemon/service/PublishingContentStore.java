package dev.longshore.daemon.service;

import dev.longshore.api.events.ContentCreate;
import dev.longshore.api.events.ContentDelete;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** A content store whose changes are published under {@code /content}. */
public final class PublishingContentStore implements ContentStore {

    private final ContentStore store;
    private final EventPublisher events;

    public PublishingContentStore(ContentStore store, EventPublisher events) {
        this.store = store;
        this.events = events;
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return store.info(context, digest);
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        return store.update(context, info, fieldPaths);
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        store.list(context, filters, sink);
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        store.delete(context, digest);
        events.publish(
                context.requireNamespace(),
                "/content/delete",
                ContentDelete.newBuilder().setDigest(digest.toString()).build());
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        return store.reader(context, digest);
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return store.status(context, ref);
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        return store.statuses(context, filters);
    }

    @Override
    public void abort(CallContext context, String ref) {
        store.abort(context, ref);
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        return new PublishingWriter(context, store.writer(context, request));
    }

    @Override
    public void close() {
        store.close();
    }

    private final class PublishingWriter implements ContentWriter {

        private final CallContext context;
        private final ContentWriter writer;

        PublishingWriter(CallContext context, ContentWriter writer) {
            this.context = context;
            this.writer = writer;
        }

        @Override
        public IngestStatus status() {
            return writer.status();
        }

        @Override
        public Digest digest() {
            return writer.digest();
        }

        @Override
        public Optional<ContentReader> written() {
            return writer.written();
        }

        @Override
        public void write(ByteBuffer data) {
            writer.write(data);
        }

        @Override
        public void truncate(long size) {
            writer.truncate(size);
        }

        @Override
        public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
            long written = writer.status().offset();
            writer.commit(size, expected, labels);
            events.publish(
                    context.requireNamespace(),
                    "/content/create",
                    ContentCreate.newBuilder()
                            .setDigest(writer.digest().toString())
                            .setSize(written)
                            .build());
        }

        @Override
        public void close() {
            writer.close();
        }
    }
}
