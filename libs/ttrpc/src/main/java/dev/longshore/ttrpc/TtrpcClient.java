package dev.longshore.ttrpc;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.longshore.api.ttrpc.KeyValue;
import dev.longshore.api.ttrpc.Request;
import dev.longshore.api.ttrpc.Response;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A ttrpc connection. Any number of threads may call at once; every call ends by its deadline, also when the peer has stopped
 * to read. A connection that is lost stays lost: all calls then fail with {@link UnavailableException}.
 */
public final class TtrpcClient implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(TtrpcClient.class);

    private static final String SCHEME = "unix://";

    /** Requests that wait to be written; more only when the peer does not read. */
    private static final int MAX_QUEUED = 256;

    private final Path socket;
    private final SocketChannel channel;
    private final FrameChannel frames;
    private final BlockingQueue<Call> unwritten = new ArrayBlockingQueue<>(MAX_QUEUED);
    private final Map<Integer, Call> unanswered = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final CompletableFuture<Void> onClose = new CompletableFuture<>();

    private record Call(Request request, CompletableFuture<Response> answer) {}

    private TtrpcClient(Path socket, SocketChannel channel) {
        this.socket = socket;
        this.channel = channel;
        this.frames = new FrameChannel(channel);
    }

    /**
     * Connects.
     *
     * @param address {@code unix://} and a path, or the path alone
     * @throws UnavailableException if nobody listens there, or does not accept within {@code timeout}
     */
    public static TtrpcClient connect(String address, Duration timeout) {
        if (address.startsWith("@") || address.startsWith("\0")) {
            throw new UnavailableException(
                    "address %s is of the abstract namespace, which is not supported: shims have used paths since containerd 1.4"
                            .formatted(address));
        }
        Path socket = Path.of(address.startsWith(SCHEME) ? address.substring(SCHEME.length()) : address);
        TtrpcClient client = new TtrpcClient(socket, open(socket, timeout));
        Thread writer = Thread.startVirtualThread(client::writeRequests);
        var _ = client.onClose.thenRun(writer::interrupt);
        Thread.startVirtualThread(client::readResponses);
        return client;
    }

    private static SocketChannel open(Path socket, Duration timeout) {
        CompletableFuture<SocketChannel> connected = new CompletableFuture<>();
        Thread connecting = Thread.startVirtualThread(() -> {
            try {
                SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                channel.connect(UnixDomainSocketAddress.of(socket));
                if (!connected.complete(channel)) {
                    channel.close();
                }
            } catch (IOException | RuntimeException e) {
                connected.completeExceptionally(e);
            }
        });
        try {
            return connected.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new UnavailableException("cannot connect to %s: %s".formatted(socket, e.getCause()), e);
        } catch (TimeoutException e) {
            connected.cancel(true);
            connecting.interrupt();
            throw new UnavailableException(
                    "%s did not accept a connection within %d ms".formatted(socket, timeout.toMillis()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while connecting to " + socket, e);
        }
    }

    /**
     * Calls a method, by the deadline and in the namespace of {@code context}.
     *
     * @param service with its package, e.g. {@code containerd.task.v2.Task}
     * @throws UnavailableException if the connection is lost
     * @throws DeadlineExceededException if the answer did not come in time
     */
    public <A> A call(String service, String method, MessageLite request, Parser<A> answers, CallContext context) {
        Deadline deadline = context.deadline();
        Request.Builder envelope = Request.newBuilder()
                .setService(service)
                .setMethod(method)
                .setPayload(request.toByteString())
                .setTimeoutNano(Math.max(1, deadline.remaining().toNanos()));
        context.namespace()
                .ifPresent(namespace -> envelope.addMetadata(
                        KeyValue.newBuilder().setKey(TtrpcServer.NAMESPACE_KEY).setValue(namespace.value())));
        Call call = new Call(envelope.build(), new CompletableFuture<>());
        if (call.request.getSerializedSize() > Frame.MAX_LENGTH) {
            throw new ResourceExhaustedException("request %s of %d bytes exceeds the limit of %d"
                    .formatted(method, call.request.getSerializedSize(), Frame.MAX_LENGTH));
        }
        Response response = answer(call, deadline);
        if (response.getStatus().getCode() != 0) {
            throw ErrorClass.ofCode(response.getStatus().getCode())
                    .fromWire(response.getStatus().getMessage(), new IOException("answered by " + socket));
        }
        try {
            return answers.parseFrom(response.getPayload());
        } catch (InvalidProtocolBufferException e) {
            throw new InternalException("answer of %s to %s cannot be read".formatted(socket, method), e);
        }
    }

    private Response answer(Call call, Deadline deadline) {
        try {
            if (!unwritten.offer(call, deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw new TimeoutException();
            }
            if (closed.get()) {
                throw lost();
            }
            return call.answer.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw lost();
        } catch (TimeoutException e) {
            call.answer.cancel(false);
            throw new DeadlineExceededException(
                    "%s did not answer %s in time".formatted(socket, call.request.getMethod()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            call.answer.cancel(false);
            throw new CanceledException("interrupted while waiting for " + socket, e);
        }
    }

    private UnavailableException lost() {
        return new UnavailableException("the connection to %s is lost".formatted(socket));
    }

    private void writeRequests() {
        int stream = 1;
        try {
            while (true) {
                Call call = unwritten.take();
                if (call.answer.isDone()) {
                    continue; // given up before it was sent
                }
                int sent = stream;
                unanswered.put(sent, call);
                var _ = call.answer.whenComplete((answer, error) -> unanswered.remove(sent, call));
                frames.write(stream, Frame.REQUEST, call.request);
                stream += 2;
            }
        } catch (IOException e) {
            log.atDebug()
                    .addKeyValue("address", socket)
                    .addKeyValue("err", e.getMessage())
                    .log("cannot write");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed
        } finally {
            close();
            failCalls();
        }
    }

    private void readResponses() {
        try {
            while (true) {
                Frame frame = frames.readHeader();
                // It stays among the unanswered, which fail with the connection, until its answer is whole.
                Call call = frame.type() == Frame.RESPONSE ? unanswered.get(frame.stream()) : null;
                if (frame.tooLong()) {
                    frames.skipData(frame);
                } else {
                    byte[] data = frames.readData(frame);
                    if (call != null) {
                        call.answer.complete(Response.parseFrom(data));
                    }
                    continue;
                }
                if (call != null) {
                    call.answer.complete(tooLong(frame));
                }
            }
        } catch (IOException e) {
            log.atDebug()
                    .addKeyValue("address", socket)
                    .addKeyValue("err", e.getMessage())
                    .log("ttrpc connection ended");
        } finally {
            close();
        }
    }

    private static Response tooLong(Frame frame) {
        return Response.newBuilder()
                .setStatus(com.google.rpc.Status.newBuilder()
                        .setCode(ErrorClass.RESOURCE_EXHAUSTED.code())
                        .setMessage("answer of %d bytes exceeds the limit of %d"
                                .formatted(frame.unsignedLength(), Frame.MAX_LENGTH)))
                .build();
    }

    /** Completes, never exceptionally, when the connection has ended, whoever ended it. */
    public CompletableFuture<Void> onClose() {
        return onClose.copy();
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        try {
            channel.close();
        } catch (IOException e) {
            log.atDebug()
                    .addKeyValue("address", socket)
                    .addKeyValue("err", e.getMessage())
                    .log("cannot close");
        }
        failCalls();
        onClose.complete(null);
    }

    private void failCalls() {
        UnavailableException lost = lost();
        unanswered.values().forEach(call -> call.answer.completeExceptionally(lost));
        for (Call call = unwritten.poll(); call != null; call = unwritten.poll()) {
            call.answer.completeExceptionally(lost);
        }
    }
}
