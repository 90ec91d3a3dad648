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
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * A content store that tells how far a blob has been read: so it is known how far a layer is unpacked, also by a differ in another process,
 * which reads it through the daemon and says nothing until it is done. What
 * this daemon unpacks while it still comes is read here, too, and nowhere else. Safe for use by many threads.
 */
public final class MeteredContentStore implements ContentStore {

    private final ContentStore store;
    private final Map<Digest, List<LongConsumer>> watched = new ConcurrentHashMap<>();
    private final Set<Loan> loans = ConcurrentHashMap.newKeySet();

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

    /**
     * Has calls with {@code context}, that very one, read {@code digest} by {@code reader} though it is no blob yet, once.
     *
     * @return ends it
     */
    public Watch lend(CallContext context, Digest digest, ContentReader reader) {
        Loan loan = new Loan(context, digest, reader);
        loans.add(loan);
        return () -> {
            loans.remove(loan);
            if (loan.lent.compareAndSet(false, true)) {
                reader.close();
            }
        };
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
        ContentReader reader = lent(context, digest).orElseGet(() -> store.reader(context, digest));
        return watched.containsKey(digest) ? new MeteredReader(reader, digest) : reader;
    }

    @SuppressWarnings(
            "ReferenceEquality") // another call may have an equal context, and must not read what is unverified
    private Optional<ContentReader> lent(CallContext context, Digest digest) {
        for (Loan loan : loans) {
            if (loan.context == context && loan.digest.equals(digest) && loan.lent.compareAndSet(false, true)) {
                return Optional.of(loan.reader);
            }
        }
        return Optional.empty();
    }

    /** Compared by what it is, not by what it has: a context is like no other. */
    private static final class Loan {

        private final CallContext context;
        private final Digest digest;
        private final ContentReader reader;
        private final AtomicBoolean lent = new AtomicBoolean();

        Loan(CallContext context, Digest digest, ContentReader reader) {
            this.context = context;
            this.digest = digest;
            this.reader = reader;
        }
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
