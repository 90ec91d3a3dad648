package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several ranges of a blob, from servers that know how to answer that in one, and from those that do not. */
class FetchRangesTest {

    private static final CallContext CONTEXT = CallContext.of("default", Duration.ofMinutes(1));
    private static final ByteRange FIRST = new ByteRange(10, 20);
    private static final ByteRange SECOND = new ByteRange(20_000, 30_000);
    private static final ByteRange THIRD = new ByteRange(99_999, 100_000);
    private static final List<ByteRange> RANGES = List.of(FIRST, SECOND, THIRD);

    private final byte[] blob = new byte[100_000];
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final Map<ByteRange, byte[]> taken = new LinkedHashMap<>();

    @SuppressWarnings("NullAway.Init") // before each test
    private Registry client;

    @SuppressWarnings("NullAway.Init") // before each test
    private HttpServer server;

    @SuppressWarnings("NullAway.Init") // before each test
    private HttpHandler several;

    private Reference reference = Reference.parse("127.0.0.1:1/app:v1");

    @BeforeEach
    void begin() throws IOException {
        new Random(1).nextBytes(blob);
        client = new Registry(new HostsDirectory(List.of(), false), _ -> Optional.empty());
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                String range = exchange.getRequestHeaders().getFirst("Range").replace("bytes=", "");
                asked.add(range);
                if (range.contains(",")) {
                    several.handle(exchange);
                } else {
                    answer(exchange, parse(range));
                }
            }
        });
        server.start();
        reference = Reference.parse(
                "127.0.0.1:%d/app:v1".formatted(server.getAddress().getPort()));
    }

    @AfterEach
    void end() {
        client.close();
        server.stop(0);
    }

    private static ByteRange parse(String range) {
        String[] ends = range.split("-", 2);
        return new ByteRange(Long.parseLong(ends[0]), Long.parseLong(ends[1]) + 1);
    }

    private byte[] bytes(ByteRange range) {
        return Arrays.copyOfRange(blob, (int) range.begin(), (int) range.end());
    }

    private void answer(HttpExchange exchange, ByteRange range) throws IOException {
        exchange.getResponseHeaders().set("Content-Range", "bytes %s/%d".formatted(range, blob.length));
        answer(exchange, 206, bytes(range));
    }

    private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    private HttpHandler parts(ByteRange... ranges) {
        return parts("\r\n--b--\r\n", ranges);
    }

    private HttpHandler parts(String end, ByteRange... ranges) {
        return exchange -> {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            for (ByteRange range : ranges) {
                body.writeBytes("\r\n--b\r\nContent-Range: bytes %s/%d\r\n\r\n"
                        .formatted(range, blob.length)
                        .getBytes(StandardCharsets.ISO_8859_1));
                body.writeBytes(bytes(range));
            }
            body.writeBytes(end.getBytes(StandardCharsets.ISO_8859_1));
            exchange.getResponseHeaders().set("Content-Type", "multipart/byteranges; boundary=b");
            answer(exchange, 206, body.toByteArray());
        };
    }

    private void fetch(List<ByteRange> ranges) throws IOException, InterruptedException {
        Descriptor descriptor = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(blob), blob.length);
        client.fetchRanges(CONTEXT, reference, descriptor, ranges, (range, in) -> {
            assertThat(taken.put(range, in.readAllBytes())).as("of %s", range).isNull();
        });
    }

    private void fetchAll() throws IOException, InterruptedException {
        taken.clear();
        fetch(RANGES);
        assertThat(taken.keySet()).containsExactlyElementsOf(RANGES);
        for (ByteRange range : RANGES) {
            assertThat(taken)
                    .hasEntrySatisfying(range, bytes -> assertThat(bytes).isEqualTo(bytes(range)));
        }
    }

    @Test
    void severalRangesComeInOneAnswer() throws Exception {
        several = parts(FIRST, SECOND, THIRD);
        fetchAll();
        fetchAll();
        assertThat(asked).containsExactly("10-19,20000-29999,99999-99999", "10-19,20000-29999,99999-99999");
    }

    @Test
    void rangesThatAServerHasJoinedAreTakenApart() throws Exception {
        several = parts(new ByteRange(0, 30_010), THIRD);
        fetchAll();
        assertThat(asked).hasSize(1);
    }

    @Test
    void oneRangeIsAskedForAsEver() throws Exception {
        fetch(List.of(SECOND));
        assertThat(taken).containsOnlyKeys(SECOND);
        assertThat(asked).containsExactly("20000-29999");
    }

    @Test
    void moreThanARequestIsToHaveAreAskedForInSeveral() throws Exception {
        several = exchange -> {
            String all = exchange.getRequestHeaders().getFirst("Range").replace("bytes=", "");
            parts(Arrays.stream(all.split(",", -1)).map(FetchRangesTest::parse).toArray(ByteRange[]::new))
                    .handle(exchange);
        };
        List<ByteRange> many = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            many.add(new ByteRange(i * 1000L, i * 1000L + 10));
        }
        fetch(many);
        assertThat(taken.keySet()).containsExactlyElementsOf(many);
        assertThat(asked).hasSize(4);
    }

    /** As it is with those who know single ranges only: one try, then never again. */
    private void fallsBackAndRemembers() throws Exception {
        fetchAll();
        int before = asked.size();
        assertThat(before).isGreaterThan(1);
        fetchAll();
        assertThat(asked.subList(before, asked.size())).containsExactly("10-19", "20000-29999", "99999-99999");
    }

    @ParameterizedTest
    @ValueSource(ints = {200, 400, 416, 501})
    void serverThatKnowsNoSeveralRangesIsAskedForOneAtATime(int status) throws Exception {
        several = exchange -> answer(exchange, status, status == 200 ? blob : new byte[0]);
        fallsBackAndRemembers();
        assertThat(asked).hasSize(7);
    }

    @Test
    void serverThatAnswersTheFirstRangeOnlyIsAskedForTheOthers() throws Exception {
        several = exchange -> answer(exchange, FIRST);
        fallsBackAndRemembers();
        assertThat(asked).hasSize(1 + 2 + 3);
    }

    @Test
    void serverThatAnswersWithMuchMoreThanTheRangesIsLeft() throws Exception {
        several = exchange -> answer(exchange, new ByteRange(0, 100_000));
        fallsBackAndRemembers();
    }

    @Test
    void partsThatAreMissingAreAskedFor() throws Exception {
        several = parts(FIRST, SECOND);
        fallsBackAndRemembers();
        assertThat(asked).hasSize(1 + 1 + 3);
    }

    @Test
    void partsInAnotherOrderAreNotTaken() throws Exception {
        several = parts(FIRST, THIRD, SECOND);
        fallsBackAndRemembers();
    }

    @Test
    void partsThatOverlapAreNotTaken() throws Exception {
        several = parts(new ByteRange(0, 25_000), new ByteRange(20_000, 30_000), THIRD);
        fallsBackAndRemembers();
    }

    @Test
    void partThatNobodyAskedForIsNotTaken() throws Exception {
        several = parts(FIRST, new ByteRange(50, 60), SECOND, THIRD);
        fallsBackAndRemembers();
    }

    @Test
    void partOfARangeIsNotTaken() throws Exception {
        several = parts(FIRST, new ByteRange(20_000, 25_000), new ByteRange(25_000, 30_000), THIRD);
        fallsBackAndRemembers();
    }

    @Test
    void rubbishIsNotTaken() throws Exception {
        several = exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "multipart/byteranges; boundary=b");
            answer(exchange, 206, new byte[50_000]);
        };
        fallsBackAndRemembers();
    }

    @Test
    void bodyThatBreaksOffIsToldWithoutBlamingTheServerForItsForm() throws Exception {
        several = parts("", FIRST, SECOND);
        assertThatThrownBy(() -> fetch(RANGES)).isInstanceOf(IOException.class);
        assertThat(taken).containsOnlyKeys(FIRST, SECOND);
        several = parts(FIRST, SECOND, THIRD);
        fetchAll();
        assertThat(asked).hasSize(2);
    }

    @Test
    void errorOfWhoTakesTheBytesIsTold() {
        several = parts(FIRST, SECOND, THIRD);
        Descriptor descriptor = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(blob), blob.length);
        assertThatThrownBy(() -> client.fetchRanges(CONTEXT, reference, descriptor, RANGES, (range, in) -> {
                    throw new IOException("the disk is full");
                }))
                .isInstanceOf(IOException.class)
                .hasMessage("the disk is full");
        assertThat(asked).hasSize(1);
    }

    @Test
    void blobThatIsNotThereIsMissing() {
        several = exchange -> answer(exchange, 404, new byte[0]);
        assertThatThrownBy(() -> fetch(RANGES)).isInstanceOf(NotFoundException.class);
    }
}
