package dev.longshore.deploy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A registry, read-only and without TLS, that serves one OCI layout under every name and tag. */
final class PlainRegistry implements AutoCloseable {

    private static final Pattern PATH = Pattern.compile("/v2/.*/(manifests|blobs)/(?:sha256:)?([^/]+)");
    private static final Pattern MANIFEST = Pattern.compile("\"manifests\".*?\"digest\":\"sha256:([0-9a-f]{64})\"");

    private final Path layout;
    private final String manifest;
    private final HttpServer server;

    PlainRegistry(Path layout) throws IOException {
        this.layout = layout;
        Matcher matcher = MANIFEST.matcher(Files.readString(layout.resolve("index.json")));
        if (!matcher.find()) {
            throw new IOException("no manifest in the index of " + layout);
        }
        this.manifest = matcher.group(1);
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    /** {@code host:port}. */
    String host() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            Matcher path = PATH.matcher(exchange.getRequestURI().getPath());
            if (!path.matches()) {
                exchange.sendResponseHeaders(exchange.getRequestURI().getPath().equals("/v2/") ? 200 : 404, -1);
                return;
            }
            boolean isManifest = path.group(1).equals("manifests");
            String digest = path.group(2).matches("[0-9a-f]{64}") ? path.group(2) : manifest;
            Path blob = layout.resolve("blobs/sha256/" + digest);
            if (!Files.exists(blob)) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            exchange.getResponseHeaders()
                    .set(
                            "Content-Type",
                            isManifest ? "application/vnd.oci.image.manifest.v1+json" : "application/octet-stream");
            exchange.getResponseHeaders().set("Docker-Content-Digest", "sha256:" + digest);
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", Long.toString(Files.size(blob)));
                exchange.sendResponseHeaders(200, -1);
                return;
            }
            exchange.sendResponseHeaders(200, Files.size(blob));
            Files.copy(blob, exchange.getResponseBody());
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
