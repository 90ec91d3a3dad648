package dev.longshore.transport.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.longshore.api.services.version.v1.VersionGrpc;
import dev.longshore.api.services.version.v1.VersionResponse;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixServerIT {

    /** Tells the namespace, lease and deadline of the call as its version. */
    private static final class Echo extends VersionGrpc.VersionImplBase {

        @Override
        public void version(Empty request, StreamObserver<VersionResponse> observer) {
            Unary.answer(observer, () -> {
                CallContext context = CallContexts.current();
                return VersionResponse.newBuilder()
                        .setVersion(context.requireNamespace().value())
                        .setRevision(context.lease().orElse("none") + " "
                                + context.deadline().remaining().toMinutes())
                        .build();
            });
        }
    }

    @TempDir
    Path folder;

    private Path socket;
    private UnixChannels channels;
    private ManagedChannel channel;

    @BeforeEach
    void openChannel() {
        socket = folder.resolve("a.sock");
        channels = new UnixChannels();
        channel = channels.open(socket, List.of());
    }

    @AfterEach
    void closeChannel() {
        channel.shutdownNow();
        channels.close();
    }

    private UnixServer start() throws Exception {
        return UnixServer.start(SocketFile.privateTo(socket), List.of(new Echo()), List.of());
    }

    private VersionResponse call(CallContext context) {
        return Unary.call(() ->
                CallContexts.send(VersionGrpc.newBlockingStub(channel), context).version(Empty.getDefaultInstance()));
    }

    @Test
    void namespaceLeaseAndDeadlineReachTheService() throws Exception {
        try (UnixServer server = start()) {
            VersionResponse answer =
                    call(CallContext.of("k8s.io", Duration.ofMinutes(10).plusSeconds(30))
                            .withLease("l1"));
            assertThat(answer.getVersion()).isEqualTo("k8s.io");
            assertThat(answer.getRevision()).isEqualTo("l1 10");
        }
    }

    @Test
    void anErrorClassCrossesTheSocket() throws Exception {
        try (UnixServer server = start()) {
            assertThatThrownBy(() -> call(CallContext.withoutNamespace(Duration.ofSeconds(10))))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageStartingWith("namespace is required");
        }
    }

    @Test
    void aBadNamespaceIsRefusedBeforeTheServiceSeesIt() throws Exception {
        try (UnixServer server = start()) {
            Metadata headers = new Metadata();
            headers.put(CallContexts.NAMESPACE, "../etc");
            var stub = VersionGrpc.newBlockingStub(channel)
                    .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
            assertThatThrownBy(() -> Unary.call(() -> stub.version(Empty.getDefaultInstance())))
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void theSocketHasItsModeAndIsGoneAfterwards() throws Exception {
        try (UnixServer server = start()) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
            try (var files = Files.list(folder)) {
                assertThat(files).containsExactly(socket);
            }
        }
        assertThat(socket).doesNotExist();
    }

    @Test
    void aSocketThatADeadProcessLeftIsReplaced() throws Exception {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertThat(socket).exists();
        try (UnixServer server = start()) {
            assertThat(call(CallContext.of("default", Duration.ofSeconds(10))).getVersion())
                    .isEqualTo("default");
        }
    }

    @Test
    void aSocketThatSomebodyAnswersOnIsLeftAlone() throws Exception {
        try (UnixServer server = start()) {
            assertThatThrownBy(this::start)
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining(socket.toString());
            assertThat(call(CallContext.of("default", Duration.ofSeconds(10))).getVersion())
                    .isEqualTo("default");
        }
    }

    @Test
    void aMessageOverTheLimitIsRefused() throws Exception {
        try (UnixServer server = start()) {
            var huge = VersionResponse.newBuilder()
                    .setVersion("x".repeat(UnixServer.MAX_MESSAGE_SIZE + 1))
                    .build();
            var call = channel.newCall(
                    VersionGrpc.getVersionMethod().toBuilder(
                                    io.grpc.protobuf.ProtoUtils.marshaller(VersionResponse.getDefaultInstance()),
                                    io.grpc.protobuf.ProtoUtils.marshaller(VersionResponse.getDefaultInstance()))
                            .build(),
                    io.grpc.CallOptions.DEFAULT);
            assertThatThrownBy(() -> io.grpc.stub.ClientCalls.blockingUnaryCall(call, huge))
                    .isInstanceOfSatisfying(
                            StatusRuntimeException.class,
                            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED));
        }
    }
}
