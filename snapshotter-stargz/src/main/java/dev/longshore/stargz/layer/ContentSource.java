package dev.longshore.stargz.layer;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.namespace.NamespaceId;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/** A content store that may have layers, and is asked before any registry. Safe for use by many threads. */
public final class ContentSource {

    private final String name;
    private final ContentStore store;
    private final Consumer<CallContext> check;
    private final Optional<NamespaceId> namespace;
    private final Duration timeout;
    private final LongAdder fetched = new LongAdder();

    /**
     * @param name for messages
     * @param check throws if the store does not answer, and has it connected to again if it does
     * @param namespace in which it is asked; a store that is no daemon's needs none
     * @param timeout for each call
     */
    public ContentSource(
            String name,
            ContentStore store,
            Consumer<CallContext> check,
            Optional<NamespaceId> namespace,
            Duration timeout) {
        this.name = name;
        this.store = store;
        this.check = check;
        this.namespace = namespace;
        this.timeout = timeout;
    }

    public String name() {
        return name;
    }

    /** Bytes of layers that came from it. */
    public long fetched() {
        return fetched.sum();
    }

    void fetched(int bytes) {
        fetched.add(bytes);
    }

    /**
     * Opens a blob, whose reads have the timeout each.
     *
     * @throws dev.longshore.sdk.errors.NotFoundException if it does not have it
     */
    ContentReader open(Digest digest) {
        check.accept(context());
        return store.partReader(context(), digest);
    }

    private CallContext context() {
        return new CallContext(namespace, Optional.empty(), Deadline.after(timeout));
    }

    @Override
    public String toString() {
        return "content store " + name;
    }
}
