package dev.longshore.transport.proxy;

import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.api.services.content.v1.ContentGrpc;
import dev.longshore.api.services.content.v1.WriteAction;
import dev.longshore.api.services.content.v1.WriteContentRequest;
import dev.longshore.api.services.content.v1.WriteContentResponse;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.Protos;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes an ingest behind a socket, on one call of {@code Content/Write}: a message, its answer, the next message. The other
 * side holds the lock of the ref until the call has ended, so closing waits for that.
 */
final class ProxyContentWriter implements ContentWriter {

    private static final Logger log = LoggerFactory.getLogger(ProxyContentWriter.class);

    /** Bytes of data in a message. */
    private static final int CHUNK = 1 << 20;

    private final BlockingClientCall<WriteContentRequest, WriteContentResponse> call;
    private final Duration timeout;
    private final String ref;
    private final Optional<Digest> expected;
    private final Instant started;
    private long total;
    private long offset;
    private Instant updated;
    private Optional<Digest> digest;
    private boolean closed;

    private ProxyContentWriter(
            BlockingClientCall<WriteContentRequest, WriteContentResponse> call,
            Duration timeout,
            WriterRequest request) {
        this.call = call;
        this.timeout = timeout;
        this.ref = request.ref();
        this.expected = request.expected();
        WriteContentResponse response = send(WriteContentRequest.newBuilder()
                .setAction(WriteAction.STAT)
                .setRef(request.ref())
                .setTotal(request.total())
                .setExpected(request.expected().map(Digest::toString).orElse("")));
        this.started = Protos.instant(response.getStartedAt());
        this.updated = Protos.instant(response.getUpdatedAt());
        this.total = response.getTotal();
        this.offset = response.getOffset();
        this.digest = digest(response);
    }

    /** Every message, the first included, may take what is left of the context's deadline now. */
    static ProxyContentWriter open(Channel channel, CallContext context, WriterRequest request) {
        Duration timeout = context.deadline().remaining();
        return new ProxyContentWriter(
                ClientCalls.blockingBidiStreamingCall(
                        CallContexts.sendHeaders(channel, context), ContentGrpc.getWriteMethod(), CallOptions.DEFAULT),
                timeout,
                request);
    }

    /** Sends one message and takes its answer; an error ends the call. */
    private WriteContentResponse send(WriteContentRequest.Builder request) {
        try {
            return exchange(request.build());
        } catch (ContainerdException e) {
            closed = true;
            call.cancel("the write failed", e);
            throw e;
        }
    }

    private WriteContentResponse exchange(WriteContentRequest request) {
        if (closed) {
            throw new FailedPreconditionException("the writer of ingest \"%s\" is closed".formatted(ref));
        }
        try {
            // A call that has ended takes no message; reading then tells why it ended.
            boolean _ = call.write(request, timeout.toNanos(), TimeUnit.NANOSECONDS);
            WriteContentResponse response = call.read(timeout.toNanos(), TimeUnit.NANOSECONDS);
            if (response == null) {
                throw new DataLossException("the content store ended the write of ingest \"%s\"".formatted(ref));
            }
            return response;
        } catch (StatusException e) {
            throw Unary.failure(e.getStatus(), e);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(
                    "the content store did not answer a message of ingest \"%s\" within %s".formatted(ref, timeout), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while writing ingest " + ref, e);
        }
    }

    private static Optional<Digest> digest(WriteContentResponse response) {
        return response.getDigest().isEmpty() ? Optional.empty() : Optional.of(Digest.parse(response.getDigest()));
    }

    private void take(WriteContentResponse response) {
        offset = response.getOffset();
        digest = digest(response).or(() -> digest);
        if (response.hasUpdatedAt()) {
            updated = Protos.instant(response.getUpdatedAt());
        }
    }

    @Override
    public IngestStatus status() {
        return new IngestStatus(ref, offset, total, expected, started, updated);
    }

    @Override
    public Digest digest() {
        return digest.orElseThrow(() ->
                new DataLossException("the content store does not tell the digest of ingest \"%s\"".formatted(ref)));
    }

    @Override
    public void write(ByteBuffer data) {
        while (data.hasRemaining()) {
            ByteBuffer chunk = data.slice(data.position(), Math.min(CHUNK, data.remaining()));
            long end = offset + chunk.remaining();
            take(send(WriteContentRequest.newBuilder()
                    .setAction(WriteAction.WRITE)
                    .setOffset(offset)
                    .setData(UnsafeByteOperations.unsafeWrap(chunk))));
            if (offset != end) {
                throw new DataLossException(
                        "ingest \"%s\" is at %d after a write that ended at %d".formatted(ref, offset, end));
            }
            data.position(data.position() + chunk.capacity());
        }
    }

    /** Only to 0, or to where the ingest ends: the protocol knows no other. */
    @Override
    public void truncate(long size) {
        if (size == offset) {
            return;
        }
        if (size != 0) {
            throw new InvalidArgumentException(
                    "ingest \"%s\" of %d bytes can be truncated to 0 only, not to %d".formatted(ref, offset, size));
        }
        // A write at 0 is a fresh start.
        take(send(WriteContentRequest.newBuilder().setAction(WriteAction.WRITE).setOffset(0)));
    }

    @Override
    public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
        try {
            WriteContentResponse response = send(WriteContentRequest.newBuilder()
                    .setAction(WriteAction.COMMIT)
                    .setTotal(size)
                    .setOffset(offset)
                    .setExpected(expected.map(Digest::toString).orElse(""))
                    .putAllLabels(labels));
            take(response);
            if (size != 0 && offset != size) {
                throw new FailedPreconditionException(
                        "unexpected commit size of ingest \"%s\": got %d, expected %d".formatted(ref, offset, size));
            }
            if (expected.isPresent() && !expected.equals(digest)) {
                throw new FailedPreconditionException("unexpected commit digest of ingest \"%s\": got %s, expected %s"
                        .formatted(ref, digest.map(Digest::toString).orElse("none"), expected.get()));
            }
        } finally {
            close();
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        call.halfClose();
        try {
            if (call.read(timeout.toNanos(), TimeUnit.NANOSECONDS) != null) {
                call.cancel("an answer to nothing", null);
            }
        } catch (StatusException | TimeoutException e) {
            // What was acknowledged is there; only the lock may stay a little longer.
            log.atWarn()
                    .addKeyValue("ref", ref)
                    .addKeyValue("err", e.getMessage())
                    .log("ending a write failed");
            call.cancel("closing failed", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            call.cancel("interrupted while closing", e);
        }
    }
}
