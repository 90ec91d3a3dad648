package dev.longshore.daemon.proxyplugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.longshore.api.services.snapshots.v1.CleanupRequest;
import dev.longshore.api.services.snapshots.v1.Info;
import dev.longshore.api.services.snapshots.v1.ListSnapshotsRequest;
import dev.longshore.api.services.snapshots.v1.ListSnapshotsResponse;
import dev.longshore.api.services.snapshots.v1.MountsRequest;
import dev.longshore.api.services.snapshots.v1.MountsResponse;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotResponse;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.snapshots.v1.StatSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.StatSnapshotResponse;
import dev.longshore.api.types.Mount;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Plugins that answer what no plugin should: each harms nobody but who asked it, and is named. */
class HostilePluginIT {

    @TempDir
    Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : opened.reversed()) {
            resource.close();
        }
    }

    private <T extends AutoCloseable> T open(T resource) {
        opened.add(resource);
        return resource;
    }

    private Path socket() {
        return folder.resolve("evil.sock");
    }

    private Snapshotter evil(Map<String, String> exports, Duration timeout) {
        ProxyPlugins plugins = open(new ProxyPlugins(Clock.systemUTC(), new SimpleMeterRegistry()));
        plugins.add(new ProxyPluginConfig(
                "evil",
                ProxyPluginConfig.Type.SNAPSHOT,
                new PluginAddress.Unix(socket()),
                Optional.empty(),
                "",
                exports,
                List.of(),
                timeout,
                ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL,
                16));
        return plugins.snapshotter("evil").orElseThrow();
    }

    private Snapshotter evil() {
        return evil(Map.of(), Duration.ofSeconds(10));
    }

    private void serve(BindableService service) throws IOException {
        open(UnixServer.start(SocketFile.privateTo(socket()), List.of(service), List.of()));
    }

    private static CallContext context() {
        return CallContext.of("default", Duration.ofSeconds(60));
    }

    private void names(ContainerdException e) {
        assertThat(e).hasMessageContaining("plugin evil at " + socket());
    }

    /** Says {@code bytes} to whoever connects. */
    private void talk(byte[] bytes) throws IOException {
        ServerSocketChannel listener =
                open(ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket())));
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    SocketChannel peer = listener.accept();
                    peer.write(ByteBuffer.wrap(bytes));
                    opened.add(peer);
                }
            } catch (IOException e) {
                // Closed.
            }
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                "SSH-2.0-OpenSSH_9.2\r\n",
                "\0\0\0\0\0\0"
            })
    void oneThatDoesNotSpeakGrpcIsUnavailable(String said) throws Exception {
        talk(said.getBytes(StandardCharsets.ISO_8859_1));
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOf(UnavailableException.class)
                .satisfies(e -> names((ContainerdException) e));
    }

    @Test
    void anAnswerThatIsNoMessageIsInternal() throws Exception {
        serve(() -> ServerServiceDefinition.builder("containerd.services.snapshots.v1.Snapshots")
                .addMethod(
                        MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
                                .setType(MethodDescriptor.MethodType.UNARY)
                                .setFullMethodName("containerd.services.snapshots.v1.Snapshots/Stat")
                                .build(),
                        ServerCalls.asyncUnaryCall((byte[] request, StreamObserver<byte[]> observer) -> {
                            observer.onNext(new byte[] {10, 127, 1, 2, 3});
                            observer.onCompleted();
                        }))
                .build());
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOfAny(InternalException.class, UnknownException.class, UnavailableException.class)
                .satisfies(e -> names((ContainerdException) e));
    }

    @Test
    void anAnswerThatMakesNoSenseIsNotBlamedOnWhoAsked() throws Exception {
        serve(new SnapshotsGrpc.SnapshotsImplBase() {
            @Override
            public void stat(StatSnapshotRequest request, StreamObserver<StatSnapshotResponse> observer) {
                Unary.answer(
                        observer,
                        () -> StatSnapshotResponse.newBuilder()
                                .setInfo(Info.newBuilder()
                                        .setCreatedAt(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE)))
                                .build());
            }
        });
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOf(InternalException.class)
                .hasMessageContaining("makes no sense")
                .satisfies(e -> names((ContainerdException) e));
    }

    private static final class Failing extends SnapshotsGrpc.SnapshotsImplBase {

        private final Status status;

        Failing(Status status) {
            this.status = status;
        }

        @Override
        public void stat(StatSnapshotRequest request, StreamObserver<StatSnapshotResponse> observer) {
            observer.onError(status.asRuntimeException());
        }
    }

    @Test
    void codesThatNobodyExpectsKeepTheirClass() throws Exception {
        serve(new Failing(Status.ABORTED.withDescription("no")));
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOf(AbortedException.class)
                .hasMessage("no");
    }

    @Test
    void aCancellationThatNobodyAskedForIsUnavailable() throws Exception {
        serve(new Failing(Status.CANCELLED));
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOf(UnavailableException.class)
                .satisfies(e -> names((ContainerdException) e));
    }

    @Test
    void oneOfAnotherTypeIsUnimplemented() throws Exception {
        serve(new SnapshotsGrpc.SnapshotsImplBase() {});
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k")).isInstanceOf(UnimplementedException.class);
    }

    /** Answers the mounts that it is given. */
    private static final class Mounting extends SnapshotsGrpc.SnapshotsImplBase {

        private final List<Mount> mounts;

        Mounting(Mount... mounts) {
            this.mounts = List.of(mounts);
        }

        @Override
        public void mounts(MountsRequest request, StreamObserver<MountsResponse> observer) {
            Unary.answer(
                    observer,
                    () -> MountsResponse.newBuilder().addAllMounts(mounts).build());
        }

        @Override
        public void prepare(PrepareSnapshotRequest request, StreamObserver<PrepareSnapshotResponse> observer) {
            Unary.answer(
                    observer,
                    () -> PrepareSnapshotResponse.newBuilder()
                            .addAllMounts(mounts)
                            .build());
        }
    }

    private static Mount bind(String source) {
        return Mount.newBuilder().setType("bind").setSource(source).build();
    }

    private static Mount overlay(String options) {
        return Mount.newBuilder()
                .setType("overlay")
                .setSource("overlay")
                .addOptions(options)
                .build();
    }

    @Test
    void mountsOutsideOfItsRootAreRefused() throws Exception {
        List<Mount> outside = List.of(
                bind("/etc"),
                bind("/srv/evil/../../etc"),
                bind("etc"),
                overlay("upperdir=/etc"),
                overlay("lowerdir=/srv/evil/1:/etc"),
                overlay("lowerdir+=/etc"));
        for (Mount mount : outside) {
            try (UnixServer _ =
                    UnixServer.start(SocketFile.privateTo(socket()), List.of(new Mounting(mount)), List.of())) {
                Snapshotter evil = evil(Map.of("root", "/srv/evil"), Duration.ofSeconds(10));
                assertThatThrownBy(() -> evil.mounts(context(), "k"))
                        .as("mounts: %s", mount)
                        .isInstanceOf(InternalException.class)
                        .hasMessageContainingAll("etc", "exports.root")
                        .satisfies(e -> names((ContainerdException) e));
                assertThatThrownBy(() -> evil.prepare(context(), "k", "", Map.of()))
                        .as("prepare: %s", mount)
                        .isInstanceOf(InternalException.class);
            }
        }
    }

    @Test
    void mountsBelowItsRootAndOfTypesThatOnlyOthersKnowPass() throws Exception {
        serve(new Mounting(
                bind("/srv/evil/snapshots/1/fs"),
                overlay("lowerdir=/srv/evil/1\\:2:/srv/evil/3"),
                Mount.newBuilder()
                        .setType("format/mkfs/ext4")
                        .setSource("/srv/evil/4.img")
                        .build(),
                Mount.newBuilder()
                        .setType("overlay")
                        .addOptions("lowerdir={{ overlay 0 1 }}")
                        .build()));
        assertThat(evil(Map.of("root", "/srv/evil"), Duration.ofSeconds(10)).mounts(context(), "k"))
                .hasSize(4);
    }

    @Test
    void withoutARootAnyPathPassesButNoControlCharacter() throws Exception {
        serve(new Mounting(bind("/mnt/x")));
        assertThat(evil().mounts(context(), "k")).hasSize(1);
    }

    @Test
    void aMountWithAControlCharacterIsRefused() throws Exception {
        serve(new Mounting(bind("/mnt/x\n/etc")));
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.mounts(context(), "k"))
                .isInstanceOf(InternalException.class)
                .hasMessageContaining("control character");
    }

    @Test
    void aMessageOver16MiBIsResourceExhausted() throws Exception {
        serve(new SnapshotsGrpc.SnapshotsImplBase() {
            @Override
            public void stat(StatSnapshotRequest request, StreamObserver<StatSnapshotResponse> observer) {
                Unary.answer(
                        observer,
                        () -> StatSnapshotResponse.newBuilder()
                                .setInfo(Info.newBuilder().putLabels("big", "x".repeat(17 << 20)))
                                .build());
            }
        });
        Snapshotter evil = evil();
        assertThatThrownBy(() -> evil.stat(context(), "k"))
                .isInstanceOf(ResourceExhaustedException.class)
                .hasMessageContaining("16777216")
                .satisfies(e -> names((ContainerdException) e));
    }

    /** Lists snapshots in messages of 1000, as many as it is told or without end. */
    private static final class Listing extends SnapshotsGrpc.SnapshotsImplBase {

        final AtomicBoolean ended = new AtomicBoolean();
        private final int messages;

        Listing(int messages) {
            this.messages = messages;
        }

        @Override
        public void list(ListSnapshotsRequest request, StreamObserver<ListSnapshotsResponse> observer) {
            Unary.stream(observer, (Consumer<ListSnapshotsResponse> sink) -> {
                try {
                    for (int i = 0; i < messages; i++) {
                        int from = i * 1000;
                        sink.accept(ListSnapshotsResponse.newBuilder()
                                .addAllInfo(Stream.iterate(from, n -> n + 1)
                                        .limit(1000)
                                        .map(n -> Info.newBuilder()
                                                .setName("default/" + n + "/k")
                                                .build())
                                        .toList())
                                .build());
                    }
                } finally {
                    ended.set(true);
                }
            });
        }

        @Override
        public void cleanup(CleanupRequest request, StreamObserver<com.google.protobuf.Empty> observer) {
            Unary.answerEmpty(observer, () -> {});
        }
    }

    @Test
    void aHundredThousandSnapshotsComeOneByOne() throws Exception {
        serve(new Listing(100));
        AtomicInteger seen = new AtomicInteger();
        evil().list(context(), List.of(), info -> seen.incrementAndGet());
        assertThat(seen).hasValue(100_000);
    }

    @Test
    void aListThatNeverEndsIsCutOffAtThePluginsDeadlineOnBothSides() throws Exception {
        Listing endless = new Listing(Integer.MAX_VALUE);
        serve(endless);
        AtomicInteger seen = new AtomicInteger();
        Snapshotter evil = evil(Map.of(), Duration.ofSeconds(1));
        assertThatThrownBy(() -> evil.list(context(), List.of(), info -> seen.incrementAndGet()))
                .isInstanceOf(DeadlineExceededException.class)
                .satisfies(e -> names((ContainerdException) e));
        assertThat(seen.get()).isPositive();
        await().untilTrue(endless.ended);
    }

    /** Bytes as they are. */
    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return ByteString.readFrom(stream).toByteArray();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
