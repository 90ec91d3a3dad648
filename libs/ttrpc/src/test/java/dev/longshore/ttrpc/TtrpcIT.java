package dev.longshore.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.longshore.api.task.v2.ConnectRequest;
import dev.longshore.api.task.v2.ConnectResponse;
import dev.longshore.api.ttrpc.Request;
import dev.longshore.api.ttrpc.Response;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TtrpcIT {

    private static final String SERVICE = "containerd.task.v2.Task";

    @TempDir
    Path folder;

    private final CountDownLatch hang = new CountDownLatch(1);
    private Path socket;
    private TtrpcServer server;

    @BeforeEach
    void serve() throws IOException {
        socket = folder.resolve("s");
        server = TtrpcServer.start(
                listen(socket),
                List.of(new TtrpcService(SERVICE)
                        .unary("Connect", ConnectRequest.parser(), (context, request) -> switch (request.getId()) {
                            case "missing" ->
                                throw new NotFoundException("task \"missing\" in " + context.requireNamespace());
                            case "broken" -> throw new IOException("broken pipe");
                            case "hang" -> {
                                hang.await();
                                yield ConnectResponse.getDefaultInstance();
                            }
                            case "huge" ->
                                ConnectResponse.newBuilder()
                                        .setVersion("x".repeat(5 << 20))
                                        .build();
                            default ->
                                ConnectResponse.newBuilder()
                                        .setVersion(request.getId())
                                        .build();
                        })));
    }

    @AfterEach
    void stop() throws IOException {
        hang.countDown();
        server.close();
    }

    private static ServerSocketChannel listen(Path socket) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
    }

    private TtrpcClient connect() {
        return TtrpcClient.connect("unix://" + socket, Duration.ofSeconds(5));
    }

    private static String call(TtrpcClient client, String id, Duration timeout) {
        return client.call(
                        SERVICE,
                        "Connect",
                        ConnectRequest.newBuilder().setId(id).build(),
                        ConnectResponse.parser(),
                        CallContext.of("default", timeout))
                .getVersion();
    }

    private static String call(TtrpcClient client, String id) {
        return call(client, id, Duration.ofSeconds(20));
    }

    @Test
    void manyThreadsShareAConnectionAndGetTheirOwnAnswers() throws Exception {
        try (TtrpcClient client = connect();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> answers = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                String id = "id" + i;
                answers.add(threads.submit(() -> call(client, id)));
            }
            for (int i = 0; i < 500; i++) {
                assertThat(answers.get(i).get()).isEqualTo("id" + i);
            }
        }
    }

    @Test
    void errorClassAndNamespaceCrossTheSocket() {
        try (TtrpcClient client = connect()) {
            assertThatThrownBy(() -> call(client, "missing"))
                    .isInstanceOf(NotFoundException.class)
                    .hasMessage("task \"missing\" in default");
        }
    }

    @Test
    void anUnknownMethodIsUnimplemented() {
        try (TtrpcClient client = connect()) {
            assertThatThrownBy(() -> client.call(
                            "containerd.task.v3.Task",
                            "Connect",
                            Empty.getDefaultInstance(),
                            Empty.parser(),
                            CallContext.of("default", Duration.ofSeconds(5))))
                    .isInstanceOf(UnimplementedException.class);
        }
    }

    @Test
    void anAnswerOverTheLimitFailsItsCallAndNoOther() {
        try (TtrpcClient client = connect()) {
            assertThatThrownBy(() -> call(client, "huge")).isInstanceOf(ResourceExhaustedException.class);
            assertThat(call(client, "after")).isEqualTo("after");
        }
    }

    @Test
    void aCallThatIsNotAnsweredEndsByItsDeadlineAndOthersGoOn() {
        try (TtrpcClient client = connect()) {
            assertThatThrownBy(() -> call(client, "hang", Duration.ofMillis(100)))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining(socket.toString());
            assertThat(call(client, "after")).isEqualTo("after");
        }
    }

    @Test
    void aPeerThatNeverReadsHoldsNobodyBeyondTheDeadline() throws Exception {
        Path deaf = folder.resolve("deaf");
        try (ServerSocketChannel listener = listen(deaf);
                TtrpcClient client = TtrpcClient.connect(deaf.toString(), Duration.ofSeconds(5))) {
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> call(client, "x".repeat(1 << 20), Duration.ofMillis(100)))
                        .isInstanceOf(DeadlineExceededException.class);
            }
        }
    }

    @Test
    void aLostConnectionFailsWhatIsUnderWayAndTellsWhoAsked() throws Exception {
        try (TtrpcClient client = connect();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<String> hanging = threads.submit(() -> call(client, "hang"));
            assertThat(call(client, "before")).isEqualTo("before");
            server.close();
            assertThatThrownBy(hanging::get).hasCauseInstanceOf(UnavailableException.class);
            client.onClose().get(5, TimeUnit.SECONDS);
            assertThatThrownBy(() -> call(client, "after")).isInstanceOf(UnavailableException.class);
        }
    }

    @Test
    void nobodyListeningIsUnavailable() {
        assertThatThrownBy(() -> TtrpcClient.connect("unix://" + folder.resolve("none"), Duration.ofSeconds(1)))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("none");
    }

    @Test
    void hostileFramesAreAnsweredAndTheConnectionLives() throws Exception {
        try (SocketChannel raw = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            DataInputStream in = new DataInputStream(Channels.newInputStream(raw));
            send(raw, 2, Frame.REQUEST, 0, new byte[3]);
            assertThat(code(in, 2)).isEqualTo(ErrorClass.INVALID_ARGUMENT);
            send(raw, 1, (byte) 9, 0, new byte[100]); // of no known type: not answered
            send(raw, 3, Frame.REQUEST, 0, new byte[(4 << 20) + 1]);
            assertThat(code(in, 3)).isEqualTo(ErrorClass.RESOURCE_EXHAUSTED);
            send(raw, 5, Frame.DATA, 0, new byte[3]);
            assertThat(code(in, 5)).isEqualTo(ErrorClass.INVALID_ARGUMENT);
            send(raw, 7, Frame.REQUEST, 2, new byte[0]);
            assertThat(code(in, 7)).isEqualTo(ErrorClass.UNIMPLEMENTED);
            send(raw, 9, Frame.REQUEST, 0, new byte[] {(byte) 0xff, 0, 1});
            assertThat(code(in, 9)).isEqualTo(ErrorClass.INVALID_ARGUMENT);
            send(raw, 9, Frame.REQUEST, 0, new byte[0]);
            assertThat(code(in, 9)).isEqualTo(ErrorClass.INVALID_ARGUMENT);
            send(
                    raw,
                    11,
                    Frame.REQUEST,
                    0,
                    Request.newBuilder()
                            .setService(SERVICE)
                            .setMethod("Connect")
                            .setPayload(ConnectRequest.newBuilder()
                                    .setId("ok")
                                    .build()
                                    .toByteString())
                            .build()
                            .toByteArray());
            assertThat(ConnectResponse.parseFrom(answer(in, 11).getPayload()).getVersion())
                    .isEqualTo("ok");
        }
    }

    @Test
    void clientThatLeavesInTheMidstOfACallOrAFrameHarmsNobodyElse() throws Exception {
        try (TtrpcClient client = connect();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            TtrpcClient leaving = connect();
            Future<String> hanging = threads.submit(() -> call(leaving, "hang"));
            assertThat(call(leaving, "before")).isEqualTo("before");
            leaving.close();
            assertThatThrownBy(hanging::get).hasCauseInstanceOf(UnavailableException.class);
            for (int length : List.of(1, Frame.HEADER_SIZE, Frame.HEADER_SIZE + 5)) {
                try (SocketChannel raw = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                    ByteBuffer frame = ByteBuffer.allocate(Frame.HEADER_SIZE + 100);
                    new Frame(100, 1, Frame.REQUEST, (byte) 0).write(frame);
                    frame.position(0).limit(length);
                    raw.write(frame);
                }
            }
            hang.countDown();
            assertThat(call(client, "after")).isEqualTo("after");
        }
    }

    @Test
    void answersThatNobodyWaitsForAreIgnored() throws Exception {
        withPeer(
                (in, raw) -> {
                    Frame request = Frame.read(ByteBuffer.wrap(in.readNBytes(Frame.HEADER_SIZE)));
                    in.skipNBytes(request.length());
                    byte[] answer = Response.newBuilder()
                            .setPayload(ConnectResponse.newBuilder()
                                    .setVersion("right")
                                    .build()
                                    .toByteString())
                            .build()
                            .toByteArray();
                    send(raw, 99, Frame.RESPONSE, 0, answer);
                    send(raw, request.stream(), (byte) 7, 0, new byte[3]);
                    // Both in one write: the client may leave as soon as it has the first.
                    write(
                            raw,
                            ByteBuffer.allocate(2 * (Frame.HEADER_SIZE + answer.length))
                                    .put(frame(request.stream(), Frame.RESPONSE, 0, answer))
                                    .put(frame(request.stream(), Frame.RESPONSE, 0, answer))
                                    .flip());
                },
                client -> assertThat(call(client, "x")).isEqualTo("right"));
    }

    @Test
    void answerThatIsNoneLosesTheConnection() throws Exception {
        withPeer(
                (in, raw) -> {
                    in.skipNBytes(Frame.HEADER_SIZE);
                    send(raw, 1, Frame.RESPONSE, 0, new byte[] {(byte) 0xff, 0, 1});
                },
                client -> assertThatThrownBy(() -> call(client, "x")).isInstanceOf(UnavailableException.class));
    }

    @Test
    void peerThatLeavesInTheMidstOfAnAnswerFailsItsCallAtOnce() throws Exception {
        withPeer(
                (in, raw) -> {
                    in.skipNBytes(Frame.HEADER_SIZE);
                    ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_SIZE);
                    new Frame(100, 1, Frame.RESPONSE, (byte) 0).write(header);
                    raw.write(header.flip());
                    raw.shutdownOutput();
                },
                client -> assertThatThrownBy(() -> call(client, "x")).isInstanceOf(UnavailableException.class));
    }

    @FunctionalInterface
    private interface Peer {
        void serve(DataInputStream in, SocketChannel raw) throws IOException;
    }

    @FunctionalInterface
    private interface Calls {
        void make(TtrpcClient client) throws Exception;
    }

    /** Makes calls to a server that does what {@code peer} does. */
    private void withPeer(Peer peer, Calls calls) throws Exception {
        Path path = folder.resolve("peer");
        try (ServerSocketChannel listener = listen(path);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> served = threads.submit(() -> {
                SocketChannel raw = listener.accept();
                peer.serve(new DataInputStream(Channels.newInputStream(raw)), raw);
                return raw;
            });
            try (TtrpcClient client = TtrpcClient.connect(path.toString(), Duration.ofSeconds(5))) {
                calls.make(client);
            }
            try (SocketChannel raw = (SocketChannel) served.get()) {
                assertThat(raw.isOpen()).isTrue();
            }
        }
    }

    private static void send(SocketChannel raw, int stream, byte type, int flags, byte[] data) throws IOException {
        write(raw, frame(stream, type, flags, data));
    }

    private static ByteBuffer frame(int stream, byte type, int flags, byte[] data) {
        ByteBuffer frame = ByteBuffer.allocate(Frame.HEADER_SIZE + data.length);
        new Frame(data.length, stream, type, (byte) flags).write(frame);
        return frame.put(data).flip();
    }

    private static void write(SocketChannel raw, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            raw.write(bytes);
        }
    }

    private static Response answer(DataInputStream in, int stream) throws IOException {
        Frame frame = Frame.read(ByteBuffer.wrap(in.readNBytes(Frame.HEADER_SIZE)));
        assertThat(frame.stream()).isEqualTo(stream);
        assertThat(frame.type()).isEqualTo(Frame.RESPONSE);
        return Response.parseFrom(in.readNBytes(frame.length()));
    }

    private static ErrorClass code(DataInputStream in, int stream) throws IOException {
        return ErrorClass.ofCode(answer(in, stream).getStatus().getCode());
    }
}
