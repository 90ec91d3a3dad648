package dev.longshore.transport.proxy;

import dev.longshore.api.services.content.v1.ContentGrpc.ContentBlockingStub;
import dev.longshore.api.services.content.v1.ReadContentRequest;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import java.nio.ByteBuffer;
import java.time.Duration;

/** Reads a blob behind a socket: one call for each read. */
final class ProxyContentReader implements ContentReader {

    private final ContentBlockingStub stub;
    private final CallContext context;
    private final Duration timeout;
    private final long size;
    private final Digest digest;

    /**
     * @param timeout for each read
     * @param size of the blob
     */
    ProxyContentReader(ContentBlockingStub stub, CallContext context, Duration timeout, long size, Digest digest) {
        this.stub = stub;
        this.context = context;
        this.timeout = timeout;
        this.size = size;
        this.digest = digest;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public int read(ByteBuffer buffer, long offset) {
        if (offset < 0) {
            throw new InvalidArgumentException("offset %d in content %s is negative".formatted(offset, digest));
        }
        if (offset >= size) {
            return -1;
        }
        int wanted = (int) Math.min(buffer.remaining(), size - offset);
        if (wanted == 0) {
            return 0; // and a request for no bytes would be answered with all of them
        }
        var request = ReadContentRequest.newBuilder()
                .setDigest(digest.toString())
                .setOffset(offset)
                .setSize(wanted)
                .build();
        CallContext bounded = new CallContext(context.namespace(), context.lease(), Deadline.after(timeout));
        int start = buffer.position();
        try (CancellableContext call = Context.current().withCancellation()) {
            call.run(() -> {
                var chunks = Unary.call(() -> CallContexts.send(stub, bounded).read(request));
                while (Unary.call(chunks::hasNext)) {
                    var data = chunks.next().getData();
                    if (data.size() > wanted - (buffer.position() - start)) {
                        throw new DataLossException(
                                "content %s was answered with more than the %d bytes asked for at %d"
                                        .formatted(digest, wanted, offset));
                    }
                    data.copyTo(buffer);
                }
            });
        }
        int read = buffer.position() - start;
        if (read < wanted) {
            throw new DataLossException(
                    "content %s ended after %d of %d bytes at %d".formatted(digest, read, wanted, offset));
        }
        return read;
    }

    /** Does nothing: between two reads nothing is open. */
    @Override
    public void close() {}
}
