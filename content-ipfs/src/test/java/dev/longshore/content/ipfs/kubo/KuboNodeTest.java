package dev.longshore.content.ipfs.kubo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.ipfs.WrongBlockException;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A node that is not what it should be. What a good one does is seen with a real one, in KuboNodeIT. */
class KuboNodeTest {

    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.UTF_8);
    private static final Cid CID = Cid.of(Codec.RAW, HELLO);
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final AtomicReference<Answer> answer = new AtomicReference<>();
    private final CountDownLatch over = new CountDownLatch(1);
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private HttpServer server;
    private KuboNode node;

    @FunctionalInterface
    private interface Answer {
        void to(HttpExchange exchange) throws IOException, InterruptedException;
    }

    @BeforeEach
    void serve() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                answer.get().to(exchange);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        server.start();
        node = new KuboNode(
                ApiAddress.parse("/ip4/127.0.0.1/tcp/" + server.getAddress().getPort()));
    }

    @AfterEach
    void stop() {
        over.countDown();
        node.close();
        server.stop(0);
        threads.shutdownNow();
    }

    private static Deadline soon() {
        return Deadline.after(PATIENCE);
    }

    private void answers(int status, byte[] body) {
        answer.set(exchange -> {
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
        });
    }

    private void answers(int status, String body) {
        answers(status, body.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void wrongBytesNameTheBlockAndTheNode() {
        answers(200, "hellO");
        assertThatThrownBy(() -> node.verified(node.toString()).get(CID, soon()))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContainingAll(CID.toString(), node.toString());
    }

    @Test
    void endlessAnswerIsCutOff() {
        answer.set(exchange -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] part = new byte[1 << 20];
            for (int i = 0; i < 100; i++) {
                exchange.getResponseBody().write(part);
            }
        });
        assertThatThrownBy(() -> node.get(CID, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("block " + CID);
    }

    @Test
    void longestBlockIsTakenAndALongerOneNot() throws IOException {
        answers(200, new byte[BlockSource.MAX_BLOCK]);
        assertThat(node.get(CID, soon())).hasSize(BlockSource.MAX_BLOCK);
        answers(200, new byte[BlockSource.MAX_BLOCK + 1]);
        assertThatThrownBy(() -> node.get(CID, soon())).isInstanceOf(IOException.class);
    }

    @Test
    void nodeThatDoesNotAnswerCostsNoMoreThanTheDeadline() {
        answer.set(_ -> over.await(1, TimeUnit.MINUTES));
        assertTimeoutPreemptively(
                PATIENCE,
                () -> assertThatThrownBy(() -> node.get(CID, Deadline.after(Duration.ofMillis(300))))
                        .isInstanceOf(IOException.class)
                        .hasMessageContainingAll("block " + CID, "did not answer within"));
    }

    @Test
    void nodeThatStopsInTheMiddleCostsNoMoreThanTheDeadline() {
        answer.set(exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().write(HELLO);
            exchange.getResponseBody().flush();
            over.await(1, TimeUnit.MINUTES);
        });
        assertTimeoutPreemptively(
                PATIENCE,
                () -> assertThatThrownBy(() -> node.get(CID, Deadline.after(Duration.ofMillis(300))))
                        .isInstanceOf(IOException.class)
                        .hasMessageContainingAll("block " + CID, "did not answer within"));
    }

    @Test
    void connectionThatIsCutNamesTheBlock() {
        answer.set(exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().write(HELLO);
        });
        assertThatThrownBy(() -> node.get(CID, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("block " + CID);
    }

    @Test
    void nodeThatIsDownSaysHowToStartIt() {
        server.stop(0);
        assertThatThrownBy(() -> node.put(CID, HELLO, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContainingAll("block " + CID, "cannot be reached", "ipfs daemon", "--api");
        assertThatThrownBy(() -> node.identity(soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot be reached");
    }

    @Test
    void refusalIsToldInTheNodesWords() {
        answers(500, "{\"Message\":\"disk is full\",\"Code\":0,\"Type\":\"error\"}");
        assertThatThrownBy(() -> node.put(CID, HELLO, soon()))
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(MissingBlockException.class)
                .hasMessageContainingAll("block " + CID, "status 500", "disk is full");
        assertThatThrownBy(() -> node.has(CID, soon())).hasMessageContaining("disk is full");
        assertThatThrownBy(() -> node.pin(CID, soon())).hasMessageContaining("disk is full");
        assertThatThrownBy(() -> node.unpin(CID, soon())).hasMessageContaining("disk is full");
    }

    @Test
    void somethingElseThanANodeIsFoundOut() {
        answers(404, "<html>no such page</html>");
        assertThatThrownBy(() -> node.get(CID, soon()))
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(MissingBlockException.class)
                .hasMessageContaining("status 404");
        answers(200, "<html>welcome</html>");
        assertThatThrownBy(() -> node.put(CID, HELLO, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("something else than JSON");
        answers(200, "{\"Key\":7}");
        assertThatThrownBy(() -> node.put(CID, HELLO, soon())).isInstanceOf(IOException.class);
    }

    @Test
    void putThatTheNodeTookForAnotherBlockFails() {
        answers(200, "{\"Key\":\"%s\",\"Size\":5}".formatted(Cid.of(Codec.RAW, new byte[1])));
        assertThatThrownBy(() -> node.put(CID, HELLO, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("block " + CID);
    }

    @Test
    void pinThatWasNotSetFails() {
        answers(200, "{\"Pins\":[]}");
        assertThatThrownBy(() -> node.pin(CID, soon()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("pin of " + CID);
    }
}
