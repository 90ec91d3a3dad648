package dev.longshore.transport.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Empty;
import dev.longshore.api.services.version.v1.VersionGrpc;
import dev.longshore.api.services.version.v1.VersionResponse;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
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

    /** Answers when it is released. */
    private static final class Slow extends VersionGrpc.VersionImplBase {

        final CountDownLatch entered = new CountDownLatch(1);
        final CountDownLatch release = new CountDownLatch(1);

        @Override
        public void version(Empty request, StreamObserver<VersionResponse> observer) {
            Unary.answer(observer, () -> {
                entered.countDown();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return VersionResponse.newBuilder().setVersion("slow").build();
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
    void aFileThatIsNoSocketIsLeftAlone() throws Exception {
        Files.writeString(socket, "precious");
        assertThatThrownBy(this::start)
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("no socket");
        assertThat(socket).hasContent("precious");
    }

    @Test
    void aUserWhoIsNotAllowedIsCutOff() throws Exception {
        SocketFile forAStranger =
                new SocketFile(socket, PosixFilePermissions.fromString("rw-rw-rw-"), -1, -1, Set.of(54321));
        try (UnixServer server = UnixServer.start(forAStranger, List.of(new Echo()), List.of())) {
            assertThatThrownBy(() -> call(CallContext.of("default", Duration.ofSeconds(10))))
                    .isInstanceOf(UnavailableException.class);
        }
    }

    @Test
    void theSocketOfASuccessorSurvivesTheEndOfItsPredecessor() throws Exception {
        Slow slow = new Slow();
        UnixServer first = UnixServer.start(SocketFile.privateTo(socket), List.of(slow), List.of());
        try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
            var underWay = callers.submit(() -> call(CallContext.of("default", Duration.ofSeconds(30))));
            slow.entered.await();
            var stopped = callers.submit(() -> first.stop(Duration.ofSeconds(20)));
            await().until(() -> !Files.exists(socket));
            try (UnixServer second = start()) {
                slow.release.countDown();
                assertThat(underWay.get().getVersion()).isEqualTo("slow");
                assertThat(stopped.get()).isNull();
                assertThat(socket).exists();
            }
        }
    }

    @Test
    void aPathAsLongAsASocketAddressCanBeWorks() throws Exception {
        int free = 107 - folder.toString().length() - 1;
        Assumptions.assumeTrue(free >= 4, "the temporary folder has too long a path");
        socket = folder.resolve("s".repeat(free));
        channel.shutdownNow();
        channel = channels.open(socket, List.of());
        try (UnixServer server = start()) {
            assertThat(call(CallContext.of("default", Duration.ofSeconds(10))).getVersion())
                    .isEqualTo("default");
        }
    }

    @Test
    void callsAreCountedAndTimedByMethodAndResult() throws Exception {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        try (UnixServer server = UnixServer.start(
                SocketFile.privateTo(socket), List.of(new Echo()), List.of(new ServerMetrics(registry)))) {
            call(CallContext.of("default", Duration.ofSeconds(10)));
            assertThatThrownBy(() -> call(CallContext.withoutNamespace(Duration.ofSeconds(10))))
                    .isInstanceOf(FailedPreconditionException.class);
        }
        assertThat(registry.get("grpc.server.handled")
                        .tags(
                                "grpc_service", "containerd.services.version.v1.Version",
                                "grpc_method", "Version",
                                "grpc_type", "unary",
                                "grpc_code", "FailedPrecondition")
                        .counter()
                        .count())
                .isOne();
        assertThat(registry.get("grpc.server.handling").timer().count()).isEqualTo(2);
    }

    @Test
    void healthIsToldForTheWholeAndForEachService() throws Exception {
        Health health = new Health(List.of(new Echo()));
        try (UnixServer server =
                UnixServer.start(SocketFile.privateTo(socket), List.of(new Echo(), health.service()), List.of())) {
            for (String name : List.of("", "containerd.services.version.v1.Version")) {
                var stub = HealthGrpc.newBlockingStub(channel);
                var request = HealthCheckRequest.newBuilder().setService(name).build();
                health.serving();
                assertThat(stub.check(request).getStatus()).isEqualTo(ServingStatus.SERVING);
            }
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
