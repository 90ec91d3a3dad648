package dev.longshore.daemon.proxyplugin;

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
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/**
 * The content store of a plugin, each call by the rules of {@link ProxyPlugin#call}. Readers and writers are let in once, when
 * they are opened; after that each of their messages has the plugin's timeout.
 */
final class GuardedContentStore implements ContentStore {

    private final ProxyPlugin plugin;

    GuardedContentStore(ProxyPlugin plugin) {
        this.plugin = plugin;
    }

    private <T> T call(String method, CallContext context, BiFunction<ContentStore, CallContext, T> call) {
        return plugin.call(method, context, (connection, bounded) -> call.apply(connection.contentStore(), bounded));
    }

    private void run(String method, CallContext context, BiConsumer<ContentStore, CallContext> call) {
        boolean done = call(method, context, (proxy, bounded) -> {
            call.accept(proxy, bounded);
            return true;
        });
        assert done;
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return call("info", context, (proxy, bounded) -> proxy.info(bounded, digest));
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        return call("update", context, (proxy, bounded) -> proxy.update(bounded, info, fieldPaths));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        run("list", context, (proxy, bounded) -> proxy.list(bounded, filters, sink));
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        run("delete", context, (proxy, bounded) -> proxy.delete(bounded, digest));
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        return new Reader(call("read", context, (proxy, bounded) -> proxy.reader(bounded, digest)));
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return call("status", context, (proxy, bounded) -> proxy.status(bounded, ref));
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        return call("statuses", context, (proxy, bounded) -> proxy.statuses(bounded, filters));
    }

    @Override
    public void abort(CallContext context, String ref) {
        run("abort", context, (proxy, bounded) -> proxy.abort(bounded, ref));
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        return new Writer(call("write", context, (proxy, bounded) -> proxy.writer(bounded, request)));
    }

    /** Does nothing: the connection belongs to {@link ProxyPlugins}. */
    @Override
    public void close() {}

    private final class Reader implements ContentReader {

        private final ContentReader reader;

        Reader(ContentReader reader) {
            this.reader = reader;
        }

        @Override
        public long size() {
            return reader.size();
        }

        @Override
        public int read(ByteBuffer buffer, long offset) {
            return plugin.named(() -> reader.read(buffer, offset));
        }

        @Override
        public void close() {
            reader.close();
        }
    }

    private final class Writer implements ContentWriter {

        private final ContentWriter writer;

        Writer(ContentWriter writer) {
            this.writer = writer;
        }

        private void run(Runnable part) {
            boolean done = plugin.named(() -> {
                part.run();
                return true;
            });
            assert done;
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
            run(() -> writer.write(data));
        }

        @Override
        public void truncate(long size) {
            run(() -> writer.truncate(size));
        }

        @Override
        public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
            run(() -> writer.commit(size, expected, labels));
        }

        @Override
        public void close() {
            writer.close();
        }
    }
}
