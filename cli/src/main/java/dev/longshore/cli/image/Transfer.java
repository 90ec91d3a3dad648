package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.longshore.api.services.streaming.v1.StreamInit;
import dev.longshore.api.services.transfer.v1.TransferOptions;
import dev.longshore.api.services.transfer.v1.TransferRequest;
import dev.longshore.api.types.Platform;
import dev.longshore.api.types.transfer.AuthRequest;
import dev.longshore.api.types.transfer.AuthResponse;
import dev.longshore.api.types.transfer.AuthType;
import dev.longshore.api.types.transfer.ImageStore;
import dev.longshore.api.types.transfer.OCIRegistry;
import dev.longshore.api.types.transfer.Progress;
import dev.longshore.api.types.transfer.RegistryResolver;
import dev.longshore.api.types.transfer.UnpackConfiguration;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.registry.Credential;
import dev.longshore.registry.Credentials;
import dev.longshore.sdk.errors.InternalException;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.BlockingClientCall;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;

/** Has the daemon move images, and hears how that gets on. */
public final class Transfer {

    private final Daemon daemon;
    private final Credentials credentials;

    /**
     * @param daemon with a lease, so that what came of a transfer that was cut off is there for the next
     * @param credentials asked for when a registry wants some
     */
    public Transfer(Daemon daemon, Credentials credentials) {
        this.daemon = daemon;
        this.credentials = credentials;
    }

    /**
     * From a registry to the store.
     *
     * @param snapshotter unpacked with this one; empty for not
     * @param plainHttp whether a registry that nothing is said about is spoken to without TLS
     */
    public void pull(String name, Optional<String> snapshotter, boolean plainHttp, Consumer<Progress> sink) {
        ImageStore.Builder store = ImageStore.newBuilder().setName(name).addPlatforms(host());
        snapshotter.ifPresent(unpacker -> store.addUnpacks(
                UnpackConfiguration.newBuilder().setPlatform(host()).setSnapshotter(unpacker)));
        run(auth -> registry(name, plainHttp, auth), _ -> store.build(), sink);
    }

    /** From the store to a registry. */
    public void push(String name, boolean plainHttp, Consumer<Progress> sink) {
        ImageStore store =
                ImageStore.newBuilder().setName(name).addPlatforms(host()).build();
        run(_ -> store, auth -> registry(name, plainHttp, auth), sink);
    }

    private static Platform host() {
        String architecture = System.getProperty("os.arch", "");
        return Platform.newBuilder()
                .setOs("linux")
                .setArchitecture(architecture.equals("aarch64") ? "arm64" : architecture)
                .build();
    }

    private static OCIRegistry registry(String name, boolean plainHttp, String auth) {
        return OCIRegistry.newBuilder()
                .setReference(name)
                .setResolver(
                        RegistryResolver.newBuilder().setAuthStream(auth).setDefaultScheme(plainHttp ? "http" : ""))
                .build();
    }

    /** One end of a transfer, given the id of the stream for credentials. */
    @FunctionalInterface
    private interface End {
        Message of(String auth);
    }

    private void run(End from, End to, Consumer<Progress> sink) {
        List<Thread> listeners = new ArrayList<>();
        try (Opened progress = open("progress");
                Opened auth = open("auth")) {
            listeners.add(Thread.ofVirtual()
                    .start(() -> progress.each(message -> sink.accept(parsed(message, Progress.parser())))));
            listeners.add(Thread.ofVirtual().start(() -> auth.each(message -> auth.answer(message, credentials))));
            TransferRequest request = TransferRequest.newBuilder()
                    .setSource(any(from.of(auth.id)))
                    .setDestination(any(to.of(auth.id)))
                    .setOptions(TransferOptions.newBuilder().setProgressStream(progress.id))
                    .build();
            call(() -> daemon.transfers().transfer(request));
            // The daemon ends its streams when all is told.
            listeners.getFirst().join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Any any(Message message) {
        return Any.newBuilder()
                .setTypeUrl(message.getDescriptorForType().getFullName())
                .setValue(message.toByteString())
                .build();
    }

    private static <M> M parsed(Any any, Parser<M> parser) {
        try {
            return parser.parseFrom(any.getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new InternalException("the daemon sent a \"%s\" that cannot be read".formatted(any.getTypeUrl()), e);
        }
    }

    private Opened open(String kind) throws InterruptedException {
        Opened opened = new Opened(kind + "-" + UUID.randomUUID(), daemon.streams().stream());
        try {
            opened.stream.write(any(StreamInit.newBuilder().setId(opened.id).build()));
            if (opened.stream.read() == null) {
                throw new InternalException("the daemon ended a stream before it began");
            }
        } catch (StatusException e) {
            throw new StatusRuntimeException(e.getStatus(), e.getTrailers());
        }
        return opened;
    }

    /** A stream of ours at the daemon. */
    private record Opened(String id, BlockingClientCall<Any, Any> stream) implements AutoCloseable {

        void each(Consumer<Any> consumer) {
            try {
                for (Any message = stream.read(); message != null; message = stream.read()) {
                    consumer.accept(message);
                }
            } catch (StatusException e) {
                return; // the transfer itself says what went wrong
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        void answer(Any message, Credentials credentials) {
            AuthRequest request = parsed(message, AuthRequest.parser());
            AuthResponse.Builder answer = AuthResponse.newBuilder();
            try {
                Optional<Credential> known = credentials.of(request.getHost());
                known.ifPresent(credential -> answer.setAuthType(
                                credential.user().isEmpty() ? AuthType.REFRESH : AuthType.CREDENTIALS)
                        .setUsername(credential.user())
                        .setSecret(credential.secret()));
                stream.write(any(answer.build()));
            } catch (IOException e) {
                stream.cancel("credentials cannot be had: " + e.getMessage(), e);
            } catch (StatusException e) {
                return; // the transfer is over
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void close() {
            stream.cancel("the transfer is over", null);
        }
    }
}
