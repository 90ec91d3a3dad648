package dev.longshore.daemon.proxyplugin;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Empty;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.snapshots.v1.UsageRequest;
import dev.longshore.api.services.snapshots.v1.UsageResponse;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.TlsFiles;
import dev.longshore.transport.grpc.Unary;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.ClientAuth;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plugins on other machines, which are other addresses of this one, with certificates made by openssl. */
class RemotePluginIT {

    /** Two authorities, each with a certificate for the name {@code backends.test} and for the address of this machine. */
    private static final String MAKE_CERTIFICATES = """
            set -e
            for ca in ours theirs; do
              openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" \
                -keyout $ca-ca.key -out $ca-ca.pem
              for who in server client; do
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$who" \
                  -keyout $ca-$who.key -out $ca-$who.csr
                printf 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:backends.test' > san
                openssl x509 -req -in $ca-$who.csr -CA $ca-ca.pem -CAkey $ca-ca.key -CAcreateserial -days 2 \
                  -extfile san -out $ca-$who.pem
              done
            done
            """;

    @TempDir
    static Path certificates;

    private final List<AutoCloseable> opened = new ArrayList<>();

    @BeforeAll
    static void makeCertificates() throws Exception {
        assumeTrue(
                List.of(System.getenv("PATH").split(":", -1)).stream()
                        .anyMatch(bin -> Files.isExecutable(Path.of(bin, "openssl"))),
                "openssl is not installed: apt-get install openssl");
        Path log = certificates.resolve("log");
        Process openssl = new ProcessBuilder("sh", "-c", MAKE_CERTIFICATES)
                .directory(certificates.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(openssl.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(openssl.exitValue()).as(Files.readString(log)).isZero();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : opened.reversed()) {
            resource.close();
        }
    }

    private static Path file(String name) {
        return certificates.resolve(name);
    }

    private static TlsFiles tls(String ca, String own) {
        return TlsFiles.read(file(ca + "-ca.pem"), file(own + "-client.pem"), file(own + "-client.key"));
    }

    /** A snapshotter on a port, which tells the number of its calls. */
    private static final class Counting extends SnapshotsGrpc.SnapshotsImplBase {

        final AtomicInteger calls = new AtomicInteger();

        @Override
        public void usage(UsageRequest request, StreamObserver<UsageResponse> observer) {
            Unary.answer(
                    observer,
                    () -> UsageResponse.newBuilder()
                            .setInodes(calls.incrementAndGet())
                            .build());
        }

        @Override
        public void cleanup(
                dev.longshore.api.services.snapshots.v1.CleanupRequest request, StreamObserver<Empty> observer) {
            Unary.answerEmpty(observer, () -> {});
        }
    }

    /** Serves with the certificate of {@code own}, for clients of {@code clients}. */
    private Server serve(
            String ip, int port, Counting snapshots, String own, String clients, HealthStatusManager health)
            throws IOException {
        Server server = NettyServerBuilder.forAddress(new InetSocketAddress(ip, port))
                .sslContext(GrpcSslContexts.forServer(
                                file(own + "-server.pem").toFile(),
                                file(own + "-server.key").toFile())
                        .trustManager(file(clients + "-ca.pem").toFile())
                        .clientAuth(ClientAuth.REQUIRE)
                        .build())
                .addService(snapshots)
                .addService(health.getHealthService())
                .build()
                .start();
        opened.add(server::shutdownNow);
        health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.SERVING);
        return server;
    }

    private ProxyPlugins plugin(String address, Optional<TlsFiles> tls) {
        ProxyPlugins plugins = new ProxyPlugins(Clock.systemUTC(), new SimpleMeterRegistry());
        opened.add(plugins);
        plugins.add(new ProxyPluginConfig(
                "far",
                ProxyPluginConfig.Type.SNAPSHOT,
                PluginAddress.parse(address),
                tls,
                "",
                Map.of(),
                List.of(),
                Duration.ofSeconds(5),
                Duration.ofMillis(200),
                16));
        // The first handshake of a JVM takes its time.
        await().atMost(Duration.ofSeconds(30))
                .until(() -> requireNonNull(plugins.health().get("far")).state() != PluginHealth.State.STARTING);
        return plugins;
    }

    private static Usage usage(ProxyPlugins plugins) {
        return plugins.snapshotter("far").orElseThrow().usage(CallContext.of("default", Duration.ofSeconds(10)), "k");
    }

    @Test
    void mutualTlsWithTheRightCertificatesWorks() throws Exception {
        Counting snapshots = new Counting();
        int port = serve("127.0.0.1", 0, snapshots, "ours", "ours", new HealthStatusManager())
                .getPort();
        ProxyPlugins plugins = plugin("tcp://127.0.0.1:" + port, Optional.of(tls("ours", "ours")));
        assertThat(usage(plugins).inodes()).isOne();
    }

    @Test
    void aServerWithACertificateOfAnotherAuthorityIsNotTrustedAndWhyIsSaid() throws Exception {
        Counting snapshots = new Counting();
        int port = serve("127.0.0.1", 0, snapshots, "theirs", "ours", new HealthStatusManager())
                .getPort();
        ProxyPlugins plugins = plugin("tcp://127.0.0.1:" + port, Optional.of(tls("ours", "ours")));
        assertThatThrownBy(() -> usage(plugins))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("plugin far at tcp://127.0.0.1:" + port)
                .hasMessageContaining("certification path");
        assertThat(requireNonNull(plugins.health().get("far")).state()).isEqualTo(PluginHealth.State.UNREACHABLE);
        assertThat(snapshots.calls).hasValue(0);
    }

    @Test
    void aServerThatDoesNotTrustOurCertificateIsUnreachable() throws Exception {
        Counting snapshots = new Counting();
        int port = serve("127.0.0.1", 0, snapshots, "ours", "ours", new HealthStatusManager())
                .getPort();
        ProxyPlugins plugins = plugin("tcp://127.0.0.1:" + port, Optional.of(tls("ours", "theirs")));
        assertThatThrownBy(() -> usage(plugins))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("plugin far at tcp://127.0.0.1:" + port);
        assertThat(snapshots.calls).hasValue(0);
    }

    @Test
    void aClientWithoutTlsGetsNothing() throws Exception {
        Counting snapshots = new Counting();
        int port = serve("127.0.0.1", 0, snapshots, "ours", "ours", new HealthStatusManager())
                .getPort();
        ProxyPlugins plugins = plugin("tcp://127.0.0.1:" + port, Optional.empty());
        assertThatThrownBy(() -> usage(plugins)).isInstanceOf(UnavailableException.class);
        assertThat(snapshots.calls).hasValue(0);
    }

    @Test
    void callsGoRoundAllAddressesOfANameThatAreWell() throws Exception {
        Counting first = new Counting();
        Counting second = new Counting();
        HealthStatusManager healthOfSecond = new HealthStatusManager();
        int port = serve("127.0.0.1", 0, first, "ours", "ours", new HealthStatusManager())
                .getPort();
        serve("127.0.0.2", port, second, "ours", "ours", healthOfSecond);
        ProxyPlugins plugins = plugin("dns:///backends.test:" + port, Optional.of(tls("ours", "ours")));
        await().untilAsserted(() -> {
            usage(plugins);
            assertThat(first.calls.get()).isPositive();
            assertThat(second.calls.get()).isPositive();
        });

        healthOfSecond.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.NOT_SERVING);
        await().untilAsserted(() -> {
            int before = second.calls.get();
            for (int i = 0; i < 10; i++) {
                usage(plugins);
            }
            assertThat(second.calls).as("calls at the one that is not well").hasValue(before);
        });
        assertThat(requireNonNull(plugins.health().get("far")).state()).isEqualTo(PluginHealth.State.READY);
    }

    @Test
    void oneOfSeveralAddressesThatGoesDownLosesNoCallForLong() throws Exception {
        Counting first = new Counting();
        Counting second = new Counting();
        Server down = serve("127.0.0.1", 0, first, "ours", "ours", new HealthStatusManager());
        serve("127.0.0.2", down.getPort(), second, "ours", "ours", new HealthStatusManager());
        ProxyPlugins plugins = plugin("dns:///backends.test:" + down.getPort(), Optional.of(tls("ours", "ours")));
        await().untilAsserted(() -> {
            usage(plugins);
            assertThat(first.calls.get()).isPositive();
        });
        down.shutdown().awaitTermination();
        await().atMost(Duration.ofSeconds(2)).ignoreExceptions().untilAsserted(() -> {
            for (int i = 0; i < 10; i++) {
                usage(plugins);
            }
        });
    }
}
