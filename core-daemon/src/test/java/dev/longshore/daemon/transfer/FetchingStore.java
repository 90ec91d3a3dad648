package dev.longshore.daemon.transfer;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/** A store that takes from {@code elsewhere} what a commit names by its CID, as one over IPFS does. It does not look at digests then. */
final class FetchingStore implements ContentStore {

    private final ContentStore store;
    private final Map<String, byte[]> elsewhere;
    private final Queue<RuntimeException> troubles = new ConcurrentLinkedQueue<>();

    FetchingStore(ContentStore store, Map<String, byte[]> elsewhere) {
        this.store = store;
        this.elsewhere = elsewhere;
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

    /** The next read fails with it. */
    void trouble(RuntimeException trouble) {
        troubles.add(trouble);
    }

    /** Whether all trouble is over. */
    boolean isCalm() {
        return troubles.isEmpty();
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        ContentReader reader = store.reader(context, digest);
        return new ContentReader() {
            @Override
            public long size() {
                return reader.size();
            }

            @Override
            public int read(ByteBuffer buffer, long offset) {
                RuntimeException trouble = troubles.poll();
                if (trouble != null) {
                    throw trouble;
                }
                return reader.read(buffer, offset);
            }

            @Override
            public void close() {
                reader.close();
            }
        };
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
        return new Writer(store.writer(context, request));
    }

    @Override
    public void close() {
        store.close();
    }

    private final class Writer implements ContentWriter {

        private final ContentWriter writer;

        Writer(ContentWriter writer) {
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
        public void write(ByteBuffer data) {
            writer.write(data);
        }

        @Override
        public void truncate(long size) {
            writer.truncate(size);
        }

        @Override
        public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
            String cid = labels.getOrDefault(StoreLabels.IPFS_CID, "");
            if (!cid.isEmpty() && writer.status().offset() == 0) {
                byte[] bytes = Optional.ofNullable(elsewhere.get(cid))
                        .orElseThrow(() -> new NotFoundException("block %s is nowhere".formatted(cid)));
                writer.write(ByteBuffer.wrap(bytes));
            }
            writer.commit(size, expected, Map.of());
        }

        @Override
        public void close() {
            writer.close();
        }
    }
}
