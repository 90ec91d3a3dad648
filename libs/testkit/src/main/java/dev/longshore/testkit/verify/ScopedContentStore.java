package dev.longshore.testkit.verify;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.testkit.verify.LivePlugin.Leftover;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * A part of a live content store: the ingests whose refs begin with a prefix, which is not seen from here, and the blobs that
 * were committed or asked for here. Closing removes all that was made through it.
 */
final class ScopedContentStore implements ContentStore {

    private final LivePlugin plugin;
    private final ContentStore backend;
    private final String prefix;

    /** Blobs that a list may show. */
    private final Set<Digest> known = ConcurrentHashMap.newKeySet();

    /** By name, guarded by itself. */
    private final Map<String, Leftover> made = new LinkedHashMap<>();

    /** Given to every blob beside the labels of its commit. */
    private final Map<String, String> labels;

    ScopedContentStore(LivePlugin plugin, String prefix) {
        this(plugin, plugin.connection().contentStore(), prefix, Map.of());
    }

    /** @param labels for every blob */
    ScopedContentStore(LivePlugin plugin, ContentStore backend, String prefix, Map<String, String> labels) {
        plugin.begin();
        this.plugin = plugin;
        this.backend = backend;
        this.prefix = prefix;
        this.labels = Map.copyOf(labels);
    }

    /** Takes note of a blob that another program has made for us. */
    void made(Digest digest) {
        known.add(digest);
        note(blob(digest));
    }

    private IngestStatus outer(IngestStatus status) {
        return new IngestStatus(
                status.ref().substring(prefix.length()),
                status.offset(),
                status.total(),
                status.expected(),
                status.started(),
                status.updated());
    }

    private void note(Leftover leftover) {
        synchronized (made) {
            var _ = made.putIfAbsent(leftover.name(), leftover);
        }
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return plugin.call("Info " + digest, () -> backend.info(plugin.bounded(context), digest));
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        return plugin.call(
                "Update %s %s".formatted(info.digest(), fieldPaths),
                () -> backend.update(plugin.bounded(context), info, fieldPaths));
    }

    /** What is done with each blob takes time too, so this has all that the caller has. */
    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        plugin.run(
                "List " + filters,
                () -> backend.list(context, filters, info -> {
                    if (known.contains(info.digest())) {
                        sink.accept(info);
                    }
                }));
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        plugin.run("Delete " + digest, () -> backend.delete(plugin.bounded(context), digest));
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        return plugin.call("Info " + digest, () -> backend.reader(plugin.bounded(context), digest));
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return plugin.call("Status " + ref, () -> outer(backend.status(plugin.bounded(context), prefix + ref)));
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        return plugin.call("ListStatuses " + filters, () -> backend.statuses(plugin.bounded(context), filters)).stream()
                .filter(status -> status.ref().startsWith(prefix))
                .map(this::outer)
                .toList();
    }

    @Override
    public void abort(CallContext context, String ref) {
        plugin.run("Abort " + ref, () -> backend.abort(plugin.bounded(context), prefix + ref));
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        String ref = prefix + request.ref();
        note(new Leftover(ref, () -> backend.abort(plugin.contextToRemove(), ref)));
        ContentWriter writer = plugin.call(
                "Write " + request.ref(),
                () -> backend.writer(
                        plugin.bounded(context), new WriterRequest(ref, request.total(), request.expected())));
        return new ScopedWriter(writer, request.ref());
    }

    private Leftover blob(Digest digest) {
        return new Leftover(digest.toString(), () -> backend.delete(plugin.contextToRemove(), digest));
    }

    @Override
    public void close() {
        List<Leftover> all;
        synchronized (made) {
            all = new ArrayList<>(made.values());
            made.clear();
        }
        plugin.remove(all);
    }

    /** Notes what becomes a blob. */
    private final class ScopedWriter implements ContentWriter {

        private final ContentWriter writer;
        private final String ref;

        ScopedWriter(ContentWriter writer, String ref) {
            this.writer = writer;
            this.ref = ref;
        }

        @Override
        public IngestStatus status() {
            return outer(writer.status());
        }

        @Override
        public Digest digest() {
            return writer.digest();
        }

        @Override
        public void write(ByteBuffer data) {
            plugin.run("Write to " + ref, () -> writer.write(data));
        }

        @Override
        public void truncate(long size) {
            plugin.run("Write at 0 of " + ref, () -> writer.truncate(size));
        }

        @Override
        public void commit(long size, Optional<Digest> expected, Map<String, String> wanted) {
            Map<String, String> all = new HashMap<>(labels);
            all.putAll(wanted);
            Digest digest = expected.orElseGet(writer::digest);
            known.add(digest);
            known.add(writer.digest());
            try {
                plugin.run("Write, to commit " + ref, () -> writer.commit(size, expected, all));
            } catch (AlreadyExistsException e) {
                throw e; // it is not from this writer
            } catch (ContainerdException e) {
                note(blob(digest)); // who knows
                throw e;
            }
            note(blob(digest));
        }

        @Override
        public void close() {
            writer.close();
        }
    }
}
