package dev.longshore.ttrpc;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Status;
import dev.longshore.api.ttrpc.KeyValue;
import dev.longshore.api.ttrpc.Request;
import dev.longshore.api.ttrpc.Response;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.Errors;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketOption;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.stream.Collectors;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves ttrpc on a listening unix socket: a virtual thread for each connection and for each request. Only processes of the
 * server's own user may connect.
 */
public final class TtrpcServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(TtrpcServer.class);

    static final String NAMESPACE_KEY = "containerd-namespace-ttrpc";

    /** Requests under way on one connection: a wait for each of very many tasks. A client beyond it is made to wait. */
    private static final int MAX_REQUESTS = 4096;

    private static final Duration NO_DEADLINE = Duration.ofDays(3650);

    private final ServerSocketChannel listener;
    private final Map<String, TtrpcService> services;
    private final UserPrincipal owner;
    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();

    private TtrpcServer(ServerSocketChannel listener, List<TtrpcService> services, UserPrincipal owner) {
        this.listener = listener;
        this.services =
                services.stream().collect(Collectors.toUnmodifiableMap(TtrpcService::name, Function.identity()));
        this.owner = owner;
    }

    /**
     * Starts to accept connections.
     *
     * @param listener bound, blocking; may be one that the process inherited. Closed with the server
     */
    public static TtrpcServer start(ServerSocketChannel listener, List<TtrpcService> services) throws IOException {
        TtrpcServer server = new TtrpcServer(listener, services, Files.getOwner(Path.of("/proc/self")));
        // A platform thread: it keeps the process alive, and it is one only.
        Thread.ofPlatform().name("ttrpc-accept").start(server::accept);
        return server;
    }

    private void accept() {
        while (true) {
            try {
                SocketChannel connection = listener.accept();
                Thread.startVirtualThread(() -> serve(connection));
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                log.atError().setCause(e).log("cannot accept a ttrpc connection");
                if (!listener.isOpen()) {
                    return;
                }
            }
        }
    }

    private void serve(SocketChannel channel) {
        connections.add(channel);
        try (channel) {
            refuseStrangers(channel);
            new Connection(new FrameChannel(channel)).serve();
        } catch (EOFException | AsynchronousCloseException e) {
            log.atDebug().log("ttrpc connection closed");
        } catch (IOException | RuntimeException e) {
            log.atWarn().addKeyValue("err", e.toString()).log("ttrpc connection ended");
        } finally {
            connections.remove(channel);
        }
    }

    private void refuseStrangers(SocketChannel channel) throws IOException {
        SocketOption<UnixDomainPrincipal> credentials = ExtendedSocketOptions.SO_PEERCRED;
        UserPrincipal peer = channel.getOption(credentials).user();
        if (!peer.equals(owner)) {
            throw new IOException("user %s may not connect, only %s".formatted(peer, owner));
        }
    }

    /** Ends all connections and stops to accept others. Requests under way are not answered. */
    @Override
    public void close() throws IOException {
        listener.close();
        for (SocketChannel connection : connections) {
            connection.close();
        }
    }

    private final class Connection {

        private final FrameChannel frames;
        private final ReentrantLock writing = new ReentrantLock();
        private final Semaphore requests = new Semaphore(MAX_REQUESTS);
        private int lastStream = -1;

        Connection(FrameChannel frames) {
            this.frames = frames;
        }

        void serve() throws IOException {
            while (true) {
                Frame frame = frames.readHeader();
                Optional<ContainerdException> refusal = refusal(frame);
                if (refusal.isPresent() || frame.type() != Frame.REQUEST) {
                    frames.skipData(frame);
                    if (refusal.isPresent()) {
                        answer(frame.stream(), error(refusal.get()));
                    }
                    continue;
                }
                byte[] data = frames.readData(frame);
                lastStream = frame.stream();
                requests.acquireUninterruptibly();
                Thread.startVirtualThread(() -> {
                    try {
                        answer(frame.stream(), handle(data));
                    } catch (IOException e) {
                        log.atDebug().addKeyValue("err", e.getMessage()).log("the client left before its answer");
                    } finally {
                        requests.release();
                    }
                });
            }
        }

        /** Why a frame is answered with an error at once; frames of unknown type are not answered at all. */
        private Optional<ContainerdException> refusal(Frame frame) {
            int stream = frame.stream();
            if (frame.tooLong()) {
                return Optional.of(new ResourceExhaustedException("message of %d bytes exceeds the limit of %d"
                        .formatted(frame.unsignedLength(), Frame.MAX_LENGTH)));
            }
            if (frame.type() == Frame.DATA) {
                return Optional.of(new InvalidArgumentException("stream %d is not open for data".formatted(stream)));
            }
            if (frame.type() != Frame.REQUEST) {
                return Optional.empty();
            }
            if (stream % 2 != 1) {
                return Optional.of(new InvalidArgumentException("stream id %d must be odd".formatted(stream)));
            }
            if (stream <= lastStream) {
                return Optional.of(new InvalidArgumentException(
                        "stream id %d must be greater than %d, the last one".formatted(stream, lastStream)));
            }
            if (frame.flags() != 0) {
                lastStream = stream;
                return Optional.of(new UnimplementedException("streaming requests are not served"));
            }
            return Optional.empty();
        }

        private Response handle(byte[] data) {
            try {
                Request request = Request.parseFrom(data);
                TtrpcService service = services.get(request.getService());
                TtrpcService.Handler method = service == null ? null : service.method(request.getMethod());
                if (method == null) {
                    throw new UnimplementedException(
                            "method %s/%s".formatted(request.getService(), request.getMethod()));
                }
                return Response.newBuilder()
                        .setStatus(Status.getDefaultInstance())
                        .setPayload(method.handle(context(request), request.getPayload())
                                .toByteString())
                        .build();
            } catch (InvalidProtocolBufferException e) {
                return error(new InvalidArgumentException("the request cannot be read", e));
            } catch (Throwable e) { // whatever it is, the caller must hear of it
                return error(Errors.classify(e));
            }
        }

        private void answer(int stream, Response response) throws IOException {
            Response fitting = response.getSerializedSize() <= Frame.MAX_LENGTH
                    ? response
                    : error(new ResourceExhaustedException("answer of %d bytes exceeds the limit of %d"
                            .formatted(response.getSerializedSize(), Frame.MAX_LENGTH)));
            writing.lock();
            try {
                frames.write(stream, Frame.RESPONSE, fitting);
            } finally {
                writing.unlock();
            }
        }
    }

    private static CallContext context(Request request) {
        Optional<NamespaceId> namespace = request.getMetadataList().stream()
                .filter(entry -> entry.getKey().equals(NAMESPACE_KEY))
                .map(KeyValue::getValue)
                .filter(value -> !value.isEmpty())
                .findFirst()
                .map(NamespaceId::new);
        Duration timeout = request.getTimeoutNano() > 0 ? Duration.ofNanos(request.getTimeoutNano()) : NO_DEADLINE;
        return new CallContext(
                namespace,
                Optional.empty(),
                Deadline.after(timeout.compareTo(NO_DEADLINE) > 0 ? NO_DEADLINE : timeout));
    }

    private static Response error(ContainerdException error) {
        ErrorClass errorClass = ErrorClass.of(error);
        return Response.newBuilder()
                .setStatus(Status.newBuilder()
                        .setCode(errorClass.code())
                        .setMessage(errorClass.onWire(String.valueOf(error.getMessage()))))
                .build();
    }
}
