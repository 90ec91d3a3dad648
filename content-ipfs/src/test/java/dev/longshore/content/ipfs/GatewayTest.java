package dev.longshore.content.ipfs;

import static dev.longshore.content.ipfs.Stores.CONTEXT;
import static dev.longshore.content.ipfs.Stores.bytes;
import static dev.longshore.content.ipfs.Stores.cid;
import static dev.longshore.content.ipfs.Stores.declare;
import static dev.longshore.content.ipfs.Stores.read;
import static dev.longshore.content.ipfs.Stores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.content.ipfs.Upstream.Source;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two stores, one of which is the other's gateway, and what gateways do that are no good. */
final class GatewayTest {

    private static final int CHUNK = FileImporter.CHUNK;
    private static final Deadline DEADLINE = Deadline.after(Duration.ofMinutes(2));

    @TempDir
    private Path root;

    @TempDir
    private Path other;

    private final List<AutoCloseable> open = new ArrayList<>();
    private final Traffic traffic = new Traffic();
    private final Traffic peerTraffic = new Traffic();

    @SuppressWarnings("NullAway.Init") // before each test
    private IpfsContentStore peer;

    @SuppressWarnings("NullAway.Init") // before each test
    private URI gateway;

    @BeforeEach
    void serve() throws IOException {
        peer = closed(Stores.open(other));
        GatewayServer server = closed(new GatewayServer(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), peer.localBlocks(), peerTraffic));
        gateway = URI.create("http://127.0.0.1:" + server.port());
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private <T extends AutoCloseable> T closed(T resource) {
        open.add(resource);
        return resource;
    }

    private IpfsContentStore from(URI url, Duration timeout) throws IOException {
        GatewaySource source = closed(new GatewaySource(url));
        return closed(new IpfsContentStore(
                root,
                new Upstream(List.of(new Source(source.name(), Origin.GATEWAY, source)), timeout, traffic),
                traffic,
                Clock.systemUTC()));
    }

    @Test
    void aBlobGoesFromOneStoreToTheOther() throws IOException {
        byte[] bytes = bytes(200 * CHUNK + 99, 1);
        Digest digest = write(peer, bytes);
        IpfsContentStore store = from(gateway, Duration.ofSeconds(10));
        declare(store, digest, bytes.length, cid(peer, digest));
        assertThat(read(store, digest)).isEqualTo(bytes);
        assertThat(traffic.bytes(Origin.GATEWAY)).isBetween((double) bytes.length, bytes.length * 1.01);
        assertThat(peerTraffic.served()).isEqualTo(traffic.bytes(Origin.GATEWAY));
    }

    @Test
    void whatAGatewayDoesNotHaveIsMissing() throws IOException {
        GatewaySource source = closed(new GatewaySource(gateway));
        Cid nothing = FileImporter.cid(new ByteArrayInputStream(bytes(10, 2)));
        assertThatThrownBy(() -> source.get(nothing, DEADLINE))
                .isInstanceOf(MissingBlockException.class)
                .hasMessageContaining(nothing.toString())
                .hasMessageContaining(gateway.toString());
    }

    private HttpResponse<byte[]> get(String path, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(gateway.resolve(path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        }
    }

    @Test
    void aBlockAndACarAreServedAsTheSpecificationSays() throws Exception {
        byte[] bytes = bytes(2 * CHUNK, 3);
        String root = cid(peer, write(peer, bytes));
        HttpResponse<byte[]> raw = get("/ipfs/" + root + "?format=raw");
        assertThat(raw.statusCode()).isEqualTo(200);
        assertThat(raw.headers().firstValue("Content-Type")).contains("application/vnd.ipld.raw");
        assertThat(raw.headers().firstValue("Etag")).contains("\"" + root + ".raw\"");
        assertThat(Cid.parse(root).names(raw.body())).isTrue();
        assertThat(get("/ipfs/" + root, "Accept", "application/vnd.ipld.raw").body())
                .isEqualTo(raw.body());

        HttpResponse<byte[]> car = get("/ipfs/" + root + "?format=car");
        assertThat(car.headers().firstValue("Content-Type"))
                .hasValueSatisfying(type -> assertThat(type).startsWith("application/vnd.ipld.car"));
        List<byte[]> sections = sections(car.body());
        assertThat(sections).hasSize(4);
        assertThat(Cid.parse(root).names(tail(sections.get(1)))).isTrue();
        assertThat(tail(sections.get(2))).isEqualTo(Arrays.copyOf(bytes, CHUNK));
        assertThat(sections(get("/ipfs/" + root + "?format=car&dag-scope=block").body()))
                .hasSize(2);
    }

    @Test
    void aCarOfAPartHasTheRootAndTheBlocksOfThatPart() throws Exception {
        byte[] bytes = bytes(2 * CHUNK + 100, 3);
        String root = cid(peer, write(peer, bytes));
        assertThat(blocksOf(root, "300000:300099")).containsExactly(Arrays.copyOfRange(bytes, CHUNK, 2 * CHUNK));
        assertThat(blocksOf(root, "0:*")).hasSize(3);
        assertThat(blocksOf(root, "-100:*")).containsExactly(Arrays.copyOfRange(bytes, 2 * CHUNK, bytes.length));
        assertThat(blocksOf(root, (CHUNK - 1) + ":" + CHUNK)).hasSize(2);
        assertThat(blocksOf(root, "0:-" + (CHUNK + 101))).containsExactly(Arrays.copyOf(bytes, CHUNK));
        assertThat(get("/ipfs/" + root + "?format=car&entity-bytes=1-2").statusCode())
                .isEqualTo(400);
    }

    /** What follows header and root. */
    private List<byte[]> blocksOf(String root, String part) throws Exception {
        List<byte[]> sections = sections(
                get("/ipfs/" + root + "?format=car&entity-bytes=" + part).body());
        assertThat(Cid.parse(root).names(tail(sections.get(1)))).isTrue();
        return sections.stream().skip(2).map(GatewayTest::tail).toList();
    }

    private static List<byte[]> sections(byte[] car) {
        List<byte[]> sections = new ArrayList<>();
        ByteBuffer in = ByteBuffer.wrap(car);
        while (in.hasRemaining()) {
            int length = 0;
            int shift = 0;
            byte b;
            do {
                b = in.get();
                length |= (b & 0x7f) << shift;
                shift += 7;
            } while (b < 0);
            byte[] section = new byte[length];
            in.get(section);
            sections.add(section);
        }
        return sections;
    }

    /** Behind the CID of sha2-256. */
    private static byte[] tail(byte[] section) {
        return Arrays.copyOfRange(section, 36, section.length);
    }

    @Test
    void theBlockInAnIdentityIsServedAndNothingElseWithoutAForm() throws Exception {
        assertThat(get("/ipfs/bafkqaaa?format=raw").statusCode()).isEqualTo(200);
        assertThat(get("/ipfs/bafkqaaa").statusCode()).isEqualTo(406);
        assertThat(get("/ipfs/nonsense?format=raw").statusCode()).isEqualTo(400);
        assertThat(get("/?format=raw").statusCode()).isEqualTo(404);
        assertThat(get("/ipfs/../../etc/passwd?format=raw").statusCode()).isIn(400, 404);
    }

    // Gateways that are no good

    private URI answering(int status, byte[] body) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.sendResponseHeaders(status, 0);
                exchange.getResponseBody().write(body);
            }
        });
        server.start();
        open.add(() -> server.stop(0));
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    private void refused(URI url, Duration timeout, String told) throws IOException {
        byte[] bytes = bytes(3 * CHUNK, 4);
        Digest digest = write(peer, bytes);
        IpfsContentStore store = from(url, timeout);
        assertThatThrownBy(() -> declare(store, digest, bytes.length, cid(peer, digest)))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining(cid(peer, digest))
                .hasMessageContaining(told);
        assertThat(store.statuses(CONTEXT, List.of()))
                .as("the ingest is as it was")
                .hasSize(1);
    }

    @Test
    void aGatewayThatLiesIsNamedWithTheBlock() throws IOException {
        refused(answering(200, bytes(500, 5)), Duration.ofSeconds(10), "other bytes than its CID says");
        assertThat(traffic.mismatches()).isEqualTo(1);
    }

    @Test
    void aGatewayThatNeverStopsIsLeftAtTheLimitOfABlock() throws IOException {
        refused(answering(200, new byte[20 << 20]), Duration.ofSeconds(10), "2097153 bytes");
    }

    @Test
    void aGatewayThatIsBrokenIsNamed() throws IOException {
        refused(answering(500, new byte[0]), Duration.ofSeconds(10), "answered 500");
    }

    @Test
    void aGatewayThatIsDownIsNamed() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            URI url = URI.create("http://127.0.0.1:" + free.getLocalPort());
            free.close();
            refused(url, Duration.ofSeconds(10), url.toString());
        }
    }

    @Test
    void aGatewayThatDoesNotAnswerIsLeftInTime() throws IOException {
        try (ServerSocket silent = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            long from = System.nanoTime();
            refused(URI.create("http://127.0.0.1:" + silent.getLocalPort()), Duration.ofSeconds(1), "block");
            assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(Duration.ofSeconds(20));
        }
    }

    @Test
    void aGatewayThatGoesAwayLeavesTheBlobForLater() throws IOException {
        byte[] bytes = bytes(30 * CHUNK, 6);
        Digest digest = write(peer, bytes);
        String cid = cid(peer, digest);
        try (IpfsContentStore store = Stores.open(root, traffic, peer.localBlocks())) {
            declare(store, digest, bytes.length, cid);
        }
        try (IpfsContentStore store = Stores.open(root, traffic, (block, deadline) -> {
            throw new IOException("down");
        })) {
            assertThatThrownBy(() -> store.reader(CONTEXT, digest))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("try again");
        }
        assertThat(read(from(gateway, Duration.ofSeconds(10)), digest)).isEqualTo(bytes);
    }
}
