package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import dev.longshore.api.services.streaming.v1.StreamInit;
import dev.longshore.api.services.streaming.v1.StreamingGrpc;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.StatusMapper;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Serves {@code containerd.services.streaming.v1.Streaming}: streams that clients open under a name, and that a transfer then uses. They
 * end with the client or with the transfer, whichever comes first.
 */
public final class StreamingService extends StreamingGrpc.StreamingImplBase {

    /** Open streams of all clients; a transfer needs two or three. */
    private static final int MAX_STREAMS = 1024;

    private static final int MAX_ID = 255;

    private final Map<Key, ClientStream> streams = new ConcurrentHashMap<>();

    private record Key(NamespaceId namespace, String id) {}

    /**
     * The stream of that name, which is the caller's from then on.
     *
     * @throws NotFoundException if the client has not opened it
     */
    ClientStream take(NamespaceId namespace, String id) {
        ClientStream stream = streams.remove(new Key(namespace, id));
        if (stream == null) {
            throw new NotFoundException("stream \"%s\": open it before the transfer".formatted(id));
        }
        return stream;
    }

    @Override
    public StreamObserver<Any> stream(StreamObserver<Any> observer) {
        NamespaceId namespace;
        try {
            namespace = CallContexts.current().requireNamespace();
        } catch (RuntimeException e) {
            observer.onError(StatusMapper.toStatus(e).asRuntimeException());
            return new Ignored();
        }
        ServerCallStreamObserver<Any> out = (ServerCallStreamObserver<Any>) observer;
        out.disableAutoRequest();
        Opened opened = new Opened(namespace, out);
        out.setOnReadyHandler(opened.stream::wake);
        out.setOnCancelHandler(opened::gone);
        out.request(1);
        return opened;
    }

    private static final class Ignored implements StreamObserver<Any> {

        @Override
        public void onNext(Any message) {}

        @Override
        public void onError(Throwable error) {}

        @Override
        public void onCompleted() {}
    }

    /** What comes from one client. gRPC calls it for one message at a time. */
    private final class Opened implements StreamObserver<Any> {

        private final NamespaceId namespace;
        private final ServerCallStreamObserver<Any> out;
        private final ClientStream stream;
        private Optional<Key> key = Optional.empty();

        Opened(NamespaceId namespace, ServerCallStreamObserver<Any> out) {
            this.namespace = namespace;
            this.out = out;
            this.stream = new ClientStream(out);
        }

        @Override
        public void onNext(Any message) {
            if (key.isPresent()) {
                stream.offer(message);
                return;
            }
            try {
                key = Optional.of(register(message));
            } catch (RuntimeException e) {
                out.onError(StatusMapper.toStatus(e).asRuntimeException());
                return;
            }
            out.onNext(ClientStream.any(Empty.getDefaultInstance()));
            out.request(1);
        }

        private Key register(Any message) {
            String id = ClientStream.unpack(message, StreamInit.getDescriptor().getFullName(), StreamInit.parser())
                    .getId();
            if (id.isEmpty() || id.length() > MAX_ID) {
                throw new InvalidArgumentException("the id of a stream must have 1 to %d characters".formatted(MAX_ID));
            }
            if (streams.size() >= MAX_STREAMS) {
                throw new ResourceExhaustedException(
                        "%d streams are open that no transfer uses: no more are taken".formatted(MAX_STREAMS));
            }
            Key wanted = new Key(namespace, id);
            if (streams.putIfAbsent(wanted, stream) != null) {
                throw new AlreadyExistsException("stream \"%s\"".formatted(id));
            }
            return wanted;
        }

        private void gone() {
            key.ifPresent(known -> streams.remove(known, stream));
            stream.fail();
        }

        @Override
        public void onError(Throwable error) {
            gone();
        }

        @Override
        public void onCompleted() {
            // What came before is still to be read; the stream itself stays, for what is sent.
            stream.end();
        }
    }
}
