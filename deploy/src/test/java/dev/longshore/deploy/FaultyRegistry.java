package dev.longshore.deploy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A registry of images that are made here, read-only and without TLS, that answers requests for parts of layers wrongly when told to. */
final class FaultyRegistry implements AutoCloseable {

    private static final Pattern PATH = Pattern.compile("/v2/.*/(manifests|blobs)/([^/]+)");
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d*)-(\\d*)");

    /** What it does with a request for a part of a blob. */
    enum Mood {
        GOOD,
        /** Sends half of the body and no more, and does not hang up. */
        STALLED,
        /** Hangs up after a hundred bytes of the body. */
        TRUNCATED,
        /** Sends other bytes than those that it has sent before. */
        CHANGED
    }

    private final Map<String, byte[]> documents = new ConcurrentHashMap<>();
    private final HttpServer server;
    private final ExecutorService workers = Executors.newVirtualThreadPerTaskExecutor();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile Mood mood = Mood.GOOD;

    FaultyRegistry() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(workers);
        server.createContext("/", this::answer);
        server.start();
    }

    /** Takes an image of these layers, from the lowest up. Returns its name. */
    String add(String tag, List<LazyLayer> layers) {
        List<Object> diffIds = new ArrayList<>();
        List<Object> descriptors = new ArrayList<>();
        for (LazyLayer layer : layers) {
            diffIds.add(layer.diffId().toString());
            Map<String, Object> descriptor = descriptor(MediaTypes.OCI_LAYER_GZIP, layer.blob());
            descriptor.put("annotations", layer.annotations());
            descriptors.add(descriptor);
        }
        byte[] config = Json.bytes(Map.of(
                "architecture",
                System.getProperty("os.arch").replace("aarch64", "arm64"),
                "os",
                "linux",
                "config",
                Map.of("Cmd", List.of("/busybox", "true")),
                "rootfs",
                Map.of("type", "layers", "diff_ids", diffIds)));
        byte[] manifest = Json.bytes(Map.of(
                "schemaVersion",
                2,
                "mediaType",
                MediaTypes.OCI_MANIFEST,
                "config",
                descriptor(MediaTypes.OCI_CONFIG, config),
                "layers",
                descriptors));
        descriptor(MediaTypes.OCI_MANIFEST, manifest);
        documents.put(tag, manifest);
        return "127.0.0.1:" + server.getAddress().getPort() + "/lazy:" + tag;
    }

    private Map<String, Object> descriptor(String mediaType, byte[] bytes) {
        String digest = Digest.sha256(bytes).toString();
        documents.put(digest, bytes);
        Map<String, Object> descriptor = new LinkedHashMap<>();
        descriptor.put("mediaType", mediaType);
        descriptor.put("digest", digest);
        descriptor.put("size", bytes.length);
        return descriptor;
    }

    void be(Mood next) {
        mood = next;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            Matcher path = PATH.matcher(exchange.getRequestURI().getPath());
            byte[] bytes = path.matches() ? documents.get(path.group(2)) : null;
            if (bytes == null) {
                exchange.sendResponseHeaders(exchange.getRequestURI().getPath().equals("/v2/") ? 200 : 404, -1);
                return;
            }
            exchange.getResponseHeaders()
                    .set(
                            "Content-Type",
                            path.group(1).equals("manifests") ? MediaTypes.OCI_MANIFEST : "application/octet-stream");
            exchange.getResponseHeaders()
                    .set("Docker-Content-Digest", Digest.sha256(bytes).toString());
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Integer.toString(bytes.length));
                exchange.sendResponseHeaders(200, -1);
                return;
            }
            String asked = String.valueOf(exchange.getRequestHeaders().getFirst("Range"));
            Matcher range = RANGE.matcher(asked);
            if (!range.matches()) {
                exchange.sendResponseHeaders(200, bytes.length);
                exchange.getResponseBody().write(bytes);
                return;
            }
            int begin = range.group(1).isEmpty()
                    ? Math.max(0, bytes.length - Integer.parseInt(range.group(2)))
                    : Integer.parseInt(range.group(1));
            int end = range.group(1).isEmpty() || range.group(2).isEmpty()
                    ? bytes.length
                    : Math.min(bytes.length, Integer.parseInt(range.group(2)) + 1);
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes %d-%d/%d".formatted(begin, end - 1, bytes.length));
            exchange.sendResponseHeaders(206, end - begin);
            part(exchange, Arrays.copyOfRange(bytes, begin, end));
        }
    }

    private void part(HttpExchange exchange, byte[] body) throws IOException {
        Mood now = mood;
        if (now == Mood.CHANGED) {
            for (int i = 0; i < body.length; i += 100) {
                body[i] ^= 1;
            }
        }
        int length = switch (now) {
            case STALLED -> body.length / 2;
            case TRUNCATED -> Math.min(100, body.length / 2);
            default -> body.length;
        };
        exchange.getResponseBody().write(body, 0, length);
        exchange.getResponseBody().flush();
        if (now == Mood.STALLED) {
            try {
                closed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** It is gone for ever. */
    @Override
    public void close() {
        closed.countDown();
        server.stop(0);
        workers.shutdownNow();
    }
}
