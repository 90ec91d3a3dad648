package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Servers that do what no good registry does, and a real one cannot be made to. */
class HostileRegistryTest {

    private static final CallContext CONTEXT = CallContext.of("default", Duration.ofMinutes(1));

    private final byte[] blob = new byte[500_000];
    private final List<String> authorizations = Collections.synchronizedList(new ArrayList<>());
    private final List<HttpServer> servers = new ArrayList<>();
    private Registry client;
    private Descriptor descriptor;

    @BeforeEach
    void begin() {
        new Random(1).nextBytes(blob);
        descriptor = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(blob), blob.length);
        client = new Registry(new HostsDirectory(List.of(), false), _ -> Optional.of(new Credential("ann", "secret")));
    }

    @AfterEach
    void end() {
        client.close();
        servers.forEach(server -> server.stop(0));
    }

    private Reference server(HttpHandler handler) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                authorizations.add(server.getAddress().getPort() + " "
                        + exchange.getRequestHeaders().getFirst("Authorization"));
                handler.handle(exchange);
            }
        });
        server.start();
        servers.add(server);
        return Reference.parse(
                "127.0.0.1:%d/app:v1".formatted(server.getAddress().getPort()));
    }

    private byte[] fetch(Reference reference, long offset) throws IOException, InterruptedException {
        try (InputStream in = client.fetch(CONTEXT, reference, descriptor, List.of(), offset)) {
            return in.readAllBytes();
        }
    }

    private byte[] fetchInPieces(Reference reference, long offset) throws IOException, InterruptedException {
        try (InputStream in = client.fetchInPieces(
                CONTEXT, reference, descriptor, List.of(), offset, new Registry.Pieces(100_000, 3))) {
            return in.readAllBytes();
        }
    }

    /** As a good server does. */
    private static void answerRange(HttpExchange exchange, byte[] blob) throws IOException {
        String[] range = exchange.getRequestHeaders()
                .getFirst("Range")
                .replace("bytes=", "")
                .split("-", 2);
        int from = Integer.parseInt(range[0]);
        int last = Integer.parseInt(range[1]);
        exchange.getResponseHeaders().set("Content-Range", "bytes %d-%d/%d".formatted(from, last, blob.length));
        answer(exchange, 206, Arrays.copyOfRange(blob, from, last + 1));
    }

    @Test
    void bigBlobComesInPiecesSeveralAtATime() throws Exception {
        AtomicInteger requests = new AtomicInteger();
        CountDownLatch two = new CountDownLatch(2);
        Reference reference = server(exchange -> {
            if (requests.incrementAndGet() > 1) {
                two.countDown();
                try {
                    // After the first, no answer before two are asked for: one at a time would wait for ever.
                    assertThat(two.await(30, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            answerRange(exchange, blob);
        });
        assertThat(fetchInPieces(reference, 33)).isEqualTo(Arrays.copyOfRange(blob, 33, blob.length));
    }

    @Test
    void pieceThatBreaksOffIsResumed() throws Exception {
        AtomicInteger requests = new AtomicInteger();
        Reference reference = server(exchange -> {
            if (requests.incrementAndGet() == 2) {
                String from = exchange.getRequestHeaders().getFirst("Range").replaceAll("bytes=|-.*", "");
                exchange.getResponseHeaders().set("Content-Range", "bytes %s-/500000".formatted(from));
                exchange.sendResponseHeaders(206, 100_000);
                exchange.getResponseBody().write(blob, Integer.parseInt(from), 1000);
                exchange.getResponseBody().flush();
                return;
            }
            answerRange(exchange, blob);
        });
        assertThat(fetchInPieces(reference, 0)).isEqualTo(blob);
        assertThat(requests).hasValue(6);
    }

    @Test
    void serverWithoutRangesSendsItInOne() throws Exception {
        AtomicInteger requests = new AtomicInteger();
        Reference reference = server(exchange -> {
            requests.incrementAndGet();
            answer(exchange, 200, blob);
        });
        assertThat(fetchInPieces(reference, 33)).isEqualTo(Arrays.copyOfRange(blob, 33, blob.length));
        assertThat(requests).hasValue(1);
    }

    @Test
    void endOfABlobIsReadInOneRequest() throws Exception {
        List<String> ranges = Collections.synchronizedList(new ArrayList<>());
        Reference reference = server(exchange -> {
            ranges.add(exchange.getRequestHeaders().getFirst("Range"));
            exchange.getResponseHeaders().set("Content-Range", "bytes 499000-499999/500000");
            answer(exchange, 206, Arrays.copyOfRange(blob, 499_000, 500_000));
        });
        Registry.Tail tail = client.tail(CONTEXT, reference, descriptor.digest(), 1000);
        assertThat(tail.size()).isEqualTo(500_000);
        assertThat(tail.bytes().array()).isEqualTo(Arrays.copyOfRange(blob, 499_000, 500_000));
        assertThat(ranges).containsExactly("bytes=-1000");
    }

    @Test
    void serverWithoutRangesFromTheEndIsAskedForTheSizeFirst() throws Exception {
        Reference reference = server(exchange -> {
            String range = exchange.getRequestHeaders().getFirst("Range");
            if (range.startsWith("bytes=-")) {
                exchange.sendResponseHeaders(416, -1);
            } else if (range.equals("bytes=0-0")) {
                exchange.getResponseHeaders().set("Content-Range", "bytes 0-0/500000");
                answer(exchange, 206, Arrays.copyOfRange(blob, 0, 1));
            } else {
                assertThat(range).isEqualTo("bytes=499000-499999");
                exchange.getResponseHeaders().set("Content-Range", "bytes 499000-499999/500000");
                answer(exchange, 206, Arrays.copyOfRange(blob, 499_000, 500_000));
            }
        });
        Registry.Tail tail = client.tail(CONTEXT, reference, descriptor.digest(), 1000);
        assertThat(tail.bytes().array()).isEqualTo(Arrays.copyOfRange(blob, 499_000, 500_000));
    }

    @Test
    void serverWithoutRangesIsToldApart() throws Exception {
        Reference reference = server(exchange -> answer(exchange, 200, blob));
        Registry.Tail tail = client.tail(CONTEXT, reference, descriptor.digest(), 1000);
        assertThat(tail.size()).isEqualTo(500_000);
        assertThat(tail.ranged()).isFalse();
    }

    @Test
    void moreOfTheEndThanWasAskedForIsRefused() throws Exception {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders().set("Content-Range", "bytes 0-499999/500000");
            answer(exchange, 206, blob);
        });
        assertThatThrownBy(() -> client.tail(CONTEXT, reference, descriptor.digest(), 1000))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("bytes=-1000 were asked for");
    }

    @Test
    void endlessChallengeIsGivenUp() throws IOException {
        AtomicInteger requests = new AtomicInteger();
        Reference reference = server(exchange -> {
            if (exchange.getRequestURI().getPath().equals("/token")) {
                answer(
                        exchange,
                        200,
                        "{\"token\": \"t%d\"}".formatted(requests.get()).getBytes(StandardCharsets.UTF_8));
                return;
            }
            requests.incrementAndGet();
            exchange.getResponseHeaders()
                    .add(
                            "WWW-Authenticate",
                            "Bearer realm=\"http://%s/token\",service=\"s\""
                                    .formatted(exchange.getRequestHeaders().getFirst("Host")));
            exchange.sendResponseHeaders(401, -1);
        });
        assertThatThrownBy(() -> client.resolve(CONTEXT, reference)).isInstanceOf(UnauthenticatedException.class);
        assertThat(requests).hasValueLessThan(5);
    }

    @Test
    void rejectedPasswordIsNotSentAgain() throws IOException {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"r\"");
            exchange.sendResponseHeaders(401, -1);
        });
        assertThatThrownBy(() -> client.resolve(CONTEXT, reference)).isInstanceOf(UnauthenticatedException.class);
        assertThat(authorizations).hasSize(2);
    }

    @Test
    void wholeAnswerToARangeIsCutToWhatWasAsked() throws Exception {
        Reference reference = server(exchange -> answer(exchange, 200, blob));
        assertThat(fetch(reference, 499_000)).isEqualTo(Arrays.copyOfRange(blob, 499_000, 500_000));
    }

    @Test
    void answerOfAnotherRangeIsNotTaken() throws IOException {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders().set("Content-Range", "bytes 0-99/500000");
            answer(exchange, 206, Arrays.copyOf(blob, 100));
        });
        assertThatThrownBy(() -> fetch(reference, 1000)).isInstanceOf(IOException.class);
    }

    @Test
    void bodyThatBreaksOffIsResumed() throws Exception {
        List<Integer> begins = new CopyOnWriteArrayList<>();
        Reference reference = server(exchange -> {
            String range = exchange.getRequestHeaders().getFirst("Range");
            int from = range == null ? 0 : Integer.parseInt(range.replaceAll("bytes=(\\d+)-.*", "$1"));
            begins.add(from);
            if (from > 0) {
                exchange.getResponseHeaders().set("Content-Range", "bytes %d-499999/500000".formatted(from));
            }
            exchange.sendResponseHeaders(from == 0 ? 200 : 206, blob.length - from);
            exchange.getResponseBody().write(blob, from, Math.min(100_000, blob.length - from));
            exchange.getResponseBody().flush();
        });
        assertThat(Digest.sha256(fetch(reference, 0))).isEqualTo(descriptor.digest());
        // A connection that is reset may take the last bytes with it, so that there is one request more.
        assertThat(begins)
                .hasSizeGreaterThanOrEqualTo(5)
                .startsWith(0)
                .isSorted()
                .doesNotHaveDuplicates();
    }

    @Test
    @Timeout(20) // a server may be silent for 30 s to who has more patience
    void bodyThatGoesSilentIsAnErrorWhenItsReadersPatienceEnds() throws Exception {
        CountDownLatch read = new CountDownLatch(1);
        Reference reference = server(exchange -> {
            exchange.sendResponseHeaders(200, blob.length);
            exchange.getResponseBody().write(blob, 0, 1000);
            exchange.getResponseBody().flush();
            try {
                read.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        CallContext hasty = CallContext.withoutNamespace(Duration.ofSeconds(1));
        try {
            assertThatThrownBy(() -> {
                        try (InputStream in = client.fetch(hasty, reference, descriptor, List.of(), 0)) {
                            in.readAllBytes();
                        }
                    })
                    .isInstanceOfAny(IOException.class, DeadlineExceededException.class);
        } finally {
            read.countDown();
        }
    }

    @Test
    void bodyThatStaysShortIsAnError() throws IOException {
        Reference reference = server(exchange -> answer(exchange, 200, Arrays.copyOf(blob, 1000)));
        assertThatThrownBy(() -> fetch(reference, 0))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(descriptor.digest().toString());
    }

    @Test
    void bodyThatIsTooLongIsCut() throws Exception {
        Reference reference = server(exchange -> answer(exchange, 200, Arrays.copyOf(blob, blob.length + 1000)));
        assertThat(fetch(reference, 0)).isEqualTo(blob);
    }

    @Test
    void authorizationStaysAtItsOrigin() throws Exception {
        Reference other = server(exchange -> answer(exchange, 200, blob));
        Reference reference = server(exchange -> {
            if (exchange.getRequestHeaders().getFirst("Authorization") == null) {
                exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"r\"");
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            exchange.getResponseHeaders().set("Location", "http://" + other.host() + "/elsewhere");
            exchange.sendResponseHeaders(307, -1);
        });
        assertThat(fetch(reference, 0)).isEqualTo(blob);
        String port = other.host().replaceAll(".*:", "");
        assertThat(authorizations).contains(port + " null").noneMatch(line -> line.startsWith(port + " Basic"));
    }

    @Test
    void challengeOfWhereARedirectLedIsNotAnswered() throws Exception {
        Reference other = server(exchange -> {
            exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"r\"");
            exchange.sendResponseHeaders(401, -1);
        });
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders().set("Location", "http://" + other.host() + "/elsewhere");
            exchange.sendResponseHeaders(307, -1);
        });
        assertThatThrownBy(() -> fetch(reference, 0)).isInstanceOf(UnauthenticatedException.class);
        assertThat(authorizations).allMatch(line -> line.endsWith(" null"));
    }

    @Test
    void foreignAddressGetsNoPassword() throws Exception {
        Reference other = server(exchange -> {
            exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"r\"");
            exchange.sendResponseHeaders(401, -1);
        });
        Reference reference = server(exchange -> answer(exchange, 200, blob));
        URI url = URI.create("http://" + other.host() + "/layer");
        try (InputStream in = client.fetch(CONTEXT, reference, descriptor, List.of(url), 0)) {
            assertThat(in.readAllBytes()).isEqualTo(blob);
        }
        assertThat(authorizations).allMatch(line -> line.endsWith(" null"));
    }

    @Test
    void endlessRedirectIsGivenUp() throws IOException {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders()
                    .set("Location", exchange.getRequestURI().getPath() + "x");
            exchange.sendResponseHeaders(302, -1);
        });
        assertThatThrownBy(() -> fetch(reference, 0))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("redirects");
    }

    @Test
    void busyServerIsAskedAgain() throws Exception {
        AtomicInteger requests = new AtomicInteger();
        Reference reference = server(exchange -> {
            if (requests.incrementAndGet() < 3) {
                exchange.getResponseHeaders().set("Retry-After", "0");
                exchange.sendResponseHeaders(requests.get() == 1 ? 429 : 503, -1);
            } else {
                answer(exchange, 200, blob);
            }
        });
        assertThat(fetch(reference, 0)).isEqualTo(blob);
    }

    @Test
    void hugeManifestIsRefusedByWhatItSays() throws IOException {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders()
                    .set("Docker-Content-Digest", Digest.sha256(blob).toString());
            exchange.getResponseHeaders().set("Content-Type", MediaTypes.OCI_MANIFEST);
            exchange.getResponseHeaders().set("Content-Length", "100000000");
            exchange.sendResponseHeaders(200, -1);
        });
        assertThatThrownBy(() -> client.resolve(CONTEXT, reference)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void hugeManifestIsRefusedByWhatItSends() throws IOException {
        Reference reference = server(exchange -> {
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.sendResponseHeaders(405, -1);
                return;
            }
            exchange.sendResponseHeaders(200, 0);
            byte[] chunk = new byte[1 << 16];
            for (int i = 0; i < 1600; i++) {
                exchange.getResponseBody().write(chunk);
            }
        });
        assertThatThrownBy(() -> client.resolve(CONTEXT, reference)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void otherDigestThanTheOneAskedForIsRefused() throws IOException {
        Reference reference = server(exchange -> {
            exchange.getResponseHeaders()
                    .set("Docker-Content-Digest", Digest.sha256(new byte[1]).toString());
            exchange.getResponseHeaders().set("Content-Type", MediaTypes.OCI_MANIFEST);
            exchange.getResponseHeaders().set("Content-Length", "1");
            exchange.sendResponseHeaders(200, -1);
        });
        Reference pinned = new Reference(
                reference.host(), reference.repository(), Optional.empty(), Optional.of(descriptor.digest()));
        assertThatThrownBy(() -> client.resolve(CONTEXT, pinned)).isInstanceOf(DataLossException.class);
    }

    private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
    }
}
