package dev.longshore.transport.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.proxy.PluginConnection;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.newsclub.net.unix.AFUNIXDatagramSocket;
import org.newsclub.net.unix.AFUNIXSocketAddress;

class PluginServerIT {

    private static final Digest DIGEST = Digest.parse("sha256:" + "0".repeat(64));

    @TempDir
    Path folder;

    private final EmptyStore store = new EmptyStore();
    private Path socket;
    private UnixChannels channels;
    private PluginConnection connection;

    @BeforeEach
    void connect() {
        socket = folder.resolve("p.sock");
        channels = new UnixChannels();
        connection = new PluginConnection(channels, socket);
    }

    @AfterEach
    void disconnect() {
        connection.close();
        channels.close();
    }

    private static CallContext context() {
        return CallContext.of("default", Duration.ofSeconds(30));
    }

    private void callIsAnswered() {
        assertThatThrownBy(() -> connection.contentStore().info(context(), DIGEST))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining(DIGEST.toString());
    }

    @Test
    void aBackendIsServedAndHealthyAndClosedInTheEnd() throws Exception {
        try (PluginServer server = PluginServer.start(ServeOptions.of(socket), Backend.of(store))) {
            callIsAnswered();
            connection.check(context());
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
            assertThat(store.closed.getCount()).isOne();
        }
        assertThat(store.closed.getCount()).isZero();
        assertThat(socket).doesNotExist();
    }

    @Test
    void namespaceLeaseAndDeadlineReachTheBackend() throws Exception {
        SlowDiffer differ = new SlowDiffer();
        differ.goOn.countDown();
        try (PluginServer server =
                PluginServer.start(ServeOptions.of(socket), Backend.of(List.of(), List.of(differ)))) {
            connection.comparer().compare(context().withLease("lease-1"), List.of(), List.of(), SlowDiffer.OPTIONS);

            assertThat(differ.seen.get().namespace()).contains(new NamespaceId("default"));
            assertThat(differ.seen.get().lease()).contains("lease-1");
            assertThat(differ.seen.get().deadline().remaining()).isLessThanOrEqualTo(Duration.ofSeconds(30));
        }
    }

    @Test
    void aCallUnderWayFinishesWhenThePluginIsToldToEnd() throws Exception {
        SlowDiffer differ = new SlowDiffer();
        PluginServer server = PluginServer.start(ServeOptions.of(socket), Backend.of(List.of(), List.of(differ)));
        CompletableFuture<Descriptor> call = CompletableFuture.supplyAsync(
                () -> connection.comparer().compare(context(), List.of(), List.of(), SlowDiffer.OPTIONS));
        assertThat(differ.called.await(30, TimeUnit.SECONDS)).isTrue();

        Thread end = Thread.startVirtualThread(server::close);
        await().until(() -> Files.notExists(socket));
        differ.goOn.countDown();

        assertThat(call.get(30, TimeUnit.SECONDS)).isEqualTo(SlowDiffer.LAYER);
        end.join();
    }

    @Test
    void aBackendIsClosedWhenItCannotBeServed() throws Exception {
        Files.writeString(socket, "no socket");

        assertThatThrownBy(() -> PluginServer.start(ServeOptions.of(socket), Backend.of(store)))
                .isInstanceOf(FailedPreconditionException.class);
        assertThat(store.closed.getCount()).isZero();
    }

    @Test
    void severalContractsAreServedOnOneSocket() throws Exception {
        try (PluginServer server =
                PluginServer.start(ServeOptions.of(socket), Backend.of(store), Backend.of(List.of(), List.of()))) {
            callIsAnswered();
        }
    }

    @Test
    void metricsAreServedWhereAnAddressIsSet() throws Exception {
        ServeOptions options = new ServeOptions(SocketFile.privateTo(socket), Optional.of("127.0.0.1:0"), Map.of());
        try (PluginServer server = PluginServer.start(options, Backend.of(store));
                HttpClient http = HttpClient.newHttpClient()) {
            callIsAnswered();
            URI uri = URI.create("http://127.0.0.1:" + server.metricsPort().orElseThrow() + "/v1/metrics");
            String body = http.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString())
                    .body();
            assertThat(body)
                    .containsPattern("grpc_server_handled_total\\{.*grpc_code=\"NotFound\",grpc_method=\"Info\".*} 1");
        }
    }

    @Test
    void noMetricsAreServedByDefault() throws Exception {
        try (PluginServer server = PluginServer.start(ServeOptions.of(socket), Backend.of(store))) {
            assertThat(server.metricsPort()).isEmpty();
        }
    }

    @Test
    void systemdHearsWhenItServesAndWhenItEnds() throws Exception {
        Path notify = folder.resolve("notify");
        try (AFUNIXDatagramSocket systemd = AFUNIXDatagramSocket.newInstance()) {
            systemd.bind(AFUNIXSocketAddress.of(notify));
            systemd.setSoTimeout(30_000);
            ServeOptions options = new ServeOptions(
                    SocketFile.privateTo(socket), Optional.empty(), Map.of("NOTIFY_SOCKET", notify.toString()));
            try (PluginServer server = PluginServer.start(options, Backend.of(store))) {
                assertThat(received(systemd)).isEqualTo("READY=1");
            }
            assertThat(received(systemd)).isEqualTo("STOPPING=1");
        }
    }

    private static String received(AFUNIXDatagramSocket socket) throws IOException {
        DatagramPacket packet = new DatagramPacket(new byte[256], 256);
        socket.receive(packet);
        return new String(packet.getData(), 0, packet.getLength(), StandardCharsets.UTF_8);
    }

    /** The socket is opened to all, so that it is the check of the peer that refuses. */
    @Test
    void anotherUserIsNotHeardWhateverTheModeSays() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot become another user");
        Path open = Files.createTempDirectory(Path.of("/tmp"), "peers");
        try {
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-xr-x"));
            Path address = open.resolve("s");
            SocketFile file =
                    new SocketFile(address, PosixFilePermissions.fromString("rw-rw-rw-"), -1, -1, Set.of(0, 4321));
            try (PluginServer server =
                    PluginServer.start(new ServeOptions(file, Optional.empty(), Map.of()), Backend.of(store))) {
                assertThat(bytesFrom(address, 65534))
                        .as("nobody is sent nothing")
                        .isZero();
                assertThat(bytesFrom(address, 4321)).as("the daemon's user").isPositive();
                assertThat(bytesFrom(address, 0)).as("root").isPositive();
            }
        } finally {
            Files.deleteIfExists(open);
        }
    }

    /** What a gRPC server says first to a client that is {@code uid}: its settings, or nothing and the end. */
    private static int bytesFrom(Path address, int uid) throws Exception {
        // perl is in every Debian; setpriv in util-linux, which is too.
        Process client = new ProcessBuilder(
                        "setpriv",
                        "--reuid=" + uid,
                        "--regid=" + uid,
                        "--clear-groups",
                        "perl",
                        "-MSocket",
                        "-e",
                        """
                        $SIG{PIPE} = "IGNORE"; # refused before we have written
                        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
                        connect($s, pack_sockaddr_un($ARGV[0])) or die "connect: $!";
                        syswrite($s, "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0");
                        my $n = sysread($s, my $buffer, 9);
                        print $n // 0;
                        """,
                        address.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(client.waitFor()).as(said).isZero();
        return Integer.parseInt(said);
    }

    @Test
    void theDaemonsUserOwnsTheSocketWhenToldSo() throws Exception {
        Flags flags = ServeOptions.flags(new Flags("test"));

        ServeOptions options = ServeOptions.of(flags.parse(
                List.of("--address", "unix://" + socket, "--daemon-uid", "4321", "--metrics-address", "127.0.0.1:9")));

        assertThat(options.socket().path()).isEqualTo(socket);
        assertThat(options.socket().uid()).isEqualTo(4321);
        assertThat(options.socket().peers()).contains(0, 4321);
        assertThat(options.metricsAddress()).contains("127.0.0.1:9");
        assertThatThrownBy(() -> ServeOptions.of(flags.parse(List.of("--address", "/a", "--daemon-uid", "root"))))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("root");
    }
}
