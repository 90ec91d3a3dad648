package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * A content store that tells how far a blob has been read: so it is known how far a layer is unpacked, also by a differ in another process,
 * which reads it through the daemon and says nothing until it is done. Safe for use by many threads.
 */
public final class MeteredContentStore implements ContentStore {

    private final ContentStore store;
    private final Map<Digest, List<LongConsumer>> watched = new ConcurrentHashMap<>();

    public MeteredContentStore(ContentStore store) {
        this.store = store;
    }

    /**
     * Begins to tell of {@code digest}, in whatever namespace it is read.
     *
     * @param position gets the offset behind the last byte of each read, on the reader's thread
     * @return ends it
     */
    public Watch watch(Digest digest, LongConsumer position) {
        watched.merge(digest, List.of(position), MeteredContentStore::plus);
        return () -> watched.computeIfPresent(digest, (_, all) -> minus(all, position));
    }

    /** Ends when it is closed. */
    @FunctionalInterface
    public interface Watch extends AutoCloseable {
        @Override
        void close();
    }

    private static List<LongConsumer> plus(List<LongConsumer> some, List<LongConsumer> more) {
        return Stream.concat(some.stream(), more.stream()).toList();
    }

    @SuppressWarnings("NullAway") // null takes the entry away
    private static List<LongConsumer> minus(List<LongConsumer> all, LongConsumer one) {
        List<LongConsumer> rest = new ArrayList<>(all);
        rest.remove(one);
        return rest.isEmpty() ? null : List.copyOf(rest);
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        ContentReader reader = store.reader(context, digest);
        return watched.containsKey(digest) ? new MeteredReader(reader, digest) : reader;
    }

    private final class MeteredReader implements ContentReader {

        private final ContentReader reader;
        private final Digest digest;

        MeteredReader(ContentReader reader, Digest digest) {
            this.reader = reader;
            this.digest = digest;
        }

        @Override
        public long size() {
            return reader.size();
        }

        @Override
        public int read(ByteBuffer buffer, long offset) {
            int count = reader.read(buffer, offset);
            if (count > 0) {
                watched.getOrDefault(digest, List.of()).forEach(position -> position.accept(offset + count));
            }
            return count;
        }

        @Override
        public void close() {
            reader.close();
        }
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
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        return store.writer(context, request);
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
    public void close() {
        store.close();
    }
}
