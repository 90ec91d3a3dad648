package dev.longshore.daemon.service;

import com.google.protobuf.Empty;
import dev.longshore.api.services.events.v1.EventsGrpc;
import dev.longshore.api.services.events.v1.ForwardRequest;
import dev.longshore.api.services.events.v1.PublishRequest;
import dev.longshore.api.services.events.v1.SubscribeRequest;
import dev.longshore.api.types.Envelope;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.daemon.event.Subscription;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.ttrpc.TtrpcServer;
import dev.longshore.ttrpc.TtrpcService;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/** Serves {@code containerd.services.events.v1.Events}, and the ttrpc service by which shims hand events in. */
public final class EventsService extends EventsGrpc.EventsImplBase {

    /** How often a subscriber that left is looked for while nothing happens. */
    private static final Duration POLL = Duration.ofSeconds(1);

    private final EventExchange exchange;
    private final Consumer<dev.longshore.sdk.event.Envelope> observer;

    /** @param observer is shown what shims hand in before anybody else is */
    public EventsService(EventExchange exchange, Consumer<dev.longshore.sdk.event.Envelope> observer) {
        this.exchange = exchange;
        this.observer = observer;
    }

    @Override
    public void publish(PublishRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> exchange.publish(
                        CallContexts.current().requireNamespace(),
                        request.getTopic(),
                        Types.typed(request.getEvent())));
    }

    @Override
    public void forward(ForwardRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> exchange.forward(EventProtos.record(request.getEnvelope())));
    }

    @Override
    public void subscribe(SubscribeRequest request, StreamObserver<Envelope> observer) {
        // Before the method returns: what is published after the call began must not be missed.
        Subscription subscription;
        try {
            subscription = exchange.subscribe(request.getFiltersList());
        } catch (RuntimeException e) {
            Unary.answer(observer, () -> {
                throw e;
            });
            return;
        }
        Unary.stream(observer, sink -> {
            try (subscription) {
                while (!Context.current().isCancelled()) {
                    subscription.next(POLL).ifPresent(event -> sink.accept(EventProtos.proto(event)));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CanceledException("interrupted while waiting for events", e);
            }
        });
    }

    /** {@code containerd.services.events.ttrpc.v1.Events}. */
    private TtrpcService ttrpc() {
        return new TtrpcService("containerd.services.events.ttrpc.v1.Events")
                .unary(
                        "Forward",
                        dev.longshore.api.services.events.ttrpc.v1.ForwardRequest.parser(),
                        (context, request) -> {
                            var envelope = EventProtos.record(request.getEnvelope());
                            observer.accept(envelope);
                            exchange.forward(envelope);
                            return Empty.getDefaultInstance();
                        });
    }

    /**
     * Serves {@link #ttrpc} on {@code socket}, for processes of one user.
     *
     * @return to be closed to stop
     */
    public AutoCloseable listen(Path socket, int uid, int gid) throws IOException {
        SocketFile.requireFree(socket);
        Files.deleteIfExists(socket);
        ServerSocketChannel listener =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket), 1024);
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        Files.setAttribute(socket, "unix:uid", uid);
        Files.setAttribute(socket, "unix:gid", gid);
        TtrpcServer server = TtrpcServer.start(listener, List.of(ttrpc()));
        return () -> {
            server.close();
            Files.deleteIfExists(socket);
        };
    }
}
