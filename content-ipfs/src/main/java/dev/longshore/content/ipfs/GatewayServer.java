package dev.longshore.content.ipfs;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.ipfs.DagFormatException;
import dev.longshore.ipfs.DagReader;
import dev.longshore.ipfs.DagReader.Leaf;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives the blocks of this disk to peers that verify them, over HTTP: single blocks, and DAGs of files as CAR. It asks nobody else for
 * what is not here, and gives no listing: who knows a CID may have the block.
 *
 * @see <a href="https://specs.ipfs.tech/http-gateways/trustless-gateway/">trustless gateways</a>
 */
final class GatewayServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(GatewayServer.class);

    private static final String PREFIX = "/ipfs/";
    private static final String RAW = "application/vnd.ipld.raw";
    private static final String CAR = "application/vnd.ipld.car";

    /** Requests at a time; others are told to come again. */
    private static final int MAX_REQUESTS = 64;

    /** For the whole of an answer. */
    private static final Duration TIMEOUT = Duration.ofMinutes(10);

    private final BlockSource blocks;
    private final Traffic traffic;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Semaphore requests = new Semaphore(MAX_REQUESTS);

    /** @param blocks verified ones of this disk */
    GatewayServer(InetSocketAddress address, BlockSource blocks, Traffic traffic) throws IOException {
        this.blocks = blocks;
        this.traffic = traffic;
        this.server = HttpServer.create(address, 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
        log.atInfo().addKeyValue("address", server.getAddress()).log("gateway serves");
    }

    int port() {
        return server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            if (!requests.tryAcquire()) {
                exchange.getResponseHeaders().set("Retry-After", "1");
                refuse(exchange, 503, "too many requests at a time");
                return;
            }
            try {
                exchange.getResponseHeaders()
                        .set("Access-Control-Allow-Origin", "*"); // there is nothing but public data
                give(exchange);
            } finally {
                requests.release();
            }
        } catch (IOException e) {
            log.atDebug()
                    .addKeyValue("path", exchange.getRequestURI().getPath())
                    .addKeyValue("err", e.toString())
                    .log("an answer was not sent to its end");
        }
    }

    private void give(HttpExchange exchange) throws IOException {
        String method = exchange.getRequestMethod();
        String path = exchange.getRequestURI().getPath();
        if (!method.equals("GET") && !method.equals("HEAD")) {
            refuse(exchange, 405, "only GET and HEAD");
            return;
        }
        Optional<String> format = format(exchange);
        if (!path.startsWith(PREFIX)) {
            refuse(exchange, 404, "only " + PREFIX + "CID is served");
            return;
        }
        if (format.isEmpty()) {
            refuse(exchange, 406, "ask for ?format=raw or ?format=car: this gateway is for clients that verify");
            return;
        }
        Cid cid;
        byte[] block;
        try {
            cid = Cid.parse(path.substring(PREFIX.length()));
            block = blocks.get(cid, Deadline.after(TIMEOUT));
        } catch (InvalidArgumentException e) {
            refuse(exchange, 400, String.valueOf(e.getMessage()));
            return;
        } catch (MissingBlockException e) {
            refuse(exchange, 404, String.valueOf(e.getMessage()));
            return;
        }
        exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
        exchange.getResponseHeaders().set("Cache-Control", "public, max-age=29030400, immutable");
        if (format.get().equals("raw")) {
            raw(exchange, cid, block);
        } else {
            car(exchange, cid, block);
        }
    }

    /** What the query asks for, which goes before what the headers accept. */
    private static Optional<String> format(HttpExchange exchange) {
        Optional<String> asked = parameter(exchange, "format");
        if (asked.isPresent()) {
            return asked.filter(format -> format.equals("raw") || format.equals("car"));
        }
        String accept = String.join(",", exchange.getRequestHeaders().getOrDefault("Accept", List.of()));
        return accept.contains(RAW) ? Optional.of("raw") : accept.contains(CAR) ? Optional.of("car") : Optional.empty();
    }

    private static Optional<String> parameter(HttpExchange exchange, String name) {
        String query = exchange.getRequestURI().getRawQuery();
        if (query != null) {
            for (String pair : query.split("&", 20)) {
                if (pair.startsWith(name + "=")) {
                    return Optional.of(pair.substring(name.length() + 1));
                }
            }
        }
        return Optional.empty();
    }

    private static void refuse(HttpExchange exchange, int status, String why) throws IOException {
        byte[] body = (why + "\n").getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, head ? -1 : body.length);
        if (!head) {
            exchange.getResponseBody().write(body);
        }
    }

    private void raw(HttpExchange exchange, Cid cid, byte[] block) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", RAW);
        exchange.getResponseHeaders().set("Etag", "\"%s.raw\"".formatted(cid));
        exchange.getResponseHeaders().set("Content-Disposition", "attachment; filename=\"%s.bin\"".formatted(cid));
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(block.length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        exchange.sendResponseHeaders(200, block.length == 0 ? -1 : block.length);
        exchange.getResponseBody().write(block);
        traffic.served(block.length);
    }

    /**
     * Blocks in the order of a walk; one that is in a DAG twice comes twice. An answer that breaks off has been told to be whole by nobody: the
     * client misses a block.
     */
    private void car(HttpExchange exchange, Cid root, byte[] block) throws IOException {
        boolean whole = parameter(exchange, "dag-scope").filter("block"::equals).isEmpty();
        Optional<String> bytes = parameter(exchange, "entity-bytes");
        if (bytes.isPresent() && !EntityBytes.isValid(bytes.get())) {
            refuse(exchange, 400, "entity-bytes is FROM:TO, each a number that may be negative, TO or *");
            return;
        }
        exchange.getResponseHeaders().set("Content-Type", CAR + "; version=1; order=dfs; dups=y");
        exchange.getResponseHeaders()
                .set("Etag", "W/\"%s.car.%s\"".formatted(root, whole ? bytes.orElse("all") : "block"));
        exchange.getResponseHeaders().set("Content-Disposition", "attachment; filename=\"%s.car\"".formatted(root));
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        exchange.sendResponseHeaders(200, 0);
        try (OutputStream out = new BufferedOutputStream(exchange.getResponseBody(), 64 << 10)) {
            section(out, header(root));
            if (!whole || root.codec() == Codec.RAW) {
                block(out, root, block);
                return;
            }
            Deadline deadline = Deadline.after(TIMEOUT);
            DagReader dag = new DagReader(blocks, root, deadline);
            EntityBytes range =
                    bytes.map(text -> EntityBytes.of(text, dag.size())).orElse(EntityBytes.ALL);
            dag.walk(
                    new DagReader.Visitor() {
                        @Override
                        public void leaf(Leaf leaf) throws IOException {
                            block(out, leaf.cid(), blocks.get(leaf.cid(), deadline));
                        }

                        @Override
                        public void node(Cid cid, byte[] node, long offset, byte[] data) throws IOException {
                            block(out, cid, node);
                        }
                    },
                    range.from(),
                    range.to(),
                    deadline);
        } catch (DagFormatException e) {
            throw new IOException("the root is that of no file, only its block can be had", e);
        }
    }

    private void block(OutputStream out, Cid cid, byte[] block) throws IOException {
        byte[] name = cid.bytes();
        number(out, name.length + block.length);
        out.write(name);
        out.write(block);
        traffic.served(block.length);
    }

    private static void section(OutputStream out, byte[] bytes) throws IOException {
        number(out, bytes.length);
        out.write(bytes);
    }

    /** Seven bits a byte, the lowest first. */
    private static void number(OutputStream out, int value) throws IOException {
        int rest = value;
        while (rest > 0x7f) {
            out.write((rest & 0x7f) | 0x80);
            rest >>>= 7;
        }
        out.write(rest);
    }

    /** In DAG-CBOR: a map of "roots", a list of one link, and "version", 1. */
    private static byte[] header(Cid root) {
        byte[] cid = root.bytes();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(0xa2);
        out.write(0x65);
        out.writeBytes("roots".getBytes(StandardCharsets.US_ASCII));
        out.write(0x81);
        out.write(0xd8); // tag 42: a CID, behind a zero byte
        out.write(42);
        out.write(0x58);
        out.write(cid.length + 1);
        out.write(0);
        out.writeBytes(cid);
        out.write(0x67);
        out.writeBytes("version".getBytes(StandardCharsets.US_ASCII));
        out.write(1);
        return out.toByteArray();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
