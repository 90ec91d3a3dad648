package dev.longshore.daemon.runtime;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.ttrpc.TtrpcClient;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A connection over ttrpc, which nearly all shims speak. */
final class TtrpcShimConnection implements ShimConnection {

    private final NamespaceId namespace;
    private final TtrpcClient client;
    private final CompletableFuture<Void> closed;

    private TtrpcShimConnection(NamespaceId namespace, TtrpcClient client) {
        this.namespace = namespace;
        this.client = client;
        this.closed = client.onClose();
    }

    /** A {@link ShimConnection.Connector}. */
    static ShimConnection connect(Bundle bundle, BootstrapAnswer answer, Deadline deadline, Runnable onClose) {
        if (!answer.protocol().equals("ttrpc")) {
            throw new UnimplementedException(
                    "the shim of task %s speaks %s at %s: this daemon calls shims over ttrpc only"
                            .formatted(bundle.id(), answer.protocol(), answer.address()));
        }
        if (answer.address().contains("://") && !answer.address().startsWith("unix://")) {
            throw new UnimplementedException(
                    "the shim of task %s listens on %s: this daemon reaches shims on unix sockets only"
                            .formatted(bundle.id(), answer.address()));
        }
        TtrpcClient client = TtrpcClient.connect(answer.address(), deadline.remaining());
        TtrpcShimConnection connection = new TtrpcShimConnection(bundle.namespace(), client);
        var _ = client.onClose()
                .thenRunAsync(onClose, task -> Thread.ofVirtual().start(task));
        return connection;
    }

    @Override
    public <A extends MessageLite> A call(
            String service, String method, MessageLite request, Parser<A> parser, Deadline deadline) {
        return client.call(
                service, method, request, parser, new CallContext(Optional.of(namespace), Optional.empty(), deadline));
    }

    @Override
    public boolean isClosed() {
        return closed.isDone();
    }

    @Override
    public void close() {
        client.close();
    }
}
