package dev.longshore.transport.metrics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.sdk.errors.InvalidArgumentException;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Where the parts of a program put what they measure. It is served at {@code /v1/metrics} if an address is configured. */
public final class Metrics implements AutoCloseable {

    private static final String PATH = "/v1/metrics";

    private final MeterRegistry registry;
    private final Optional<Endpoint> endpoint;

    private Metrics(MeterRegistry registry, Optional<Endpoint> endpoint) {
        this.registry = registry;
        this.endpoint = endpoint;
    }

    /**
     * Starts to serve, or to measure nothing.
     *
     * @param address {@code host:port}; empty for no metrics, which then cost next to nothing
     */
    public static Metrics open(Optional<String> address) throws IOException {
        if (address.isEmpty()) {
            // Without a registry in it, it makes meters that do nothing.
            return new Metrics(new CompositeMeterRegistry(), Optional.empty());
        }
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        new JvmMemoryMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        return new Metrics(registry, Optional.of(new Endpoint(parse(address.get()), registry)));
    }

    public MeterRegistry registry() {
        return registry;
    }

    /** The port that is listened on; empty if none is. */
    public Optional<Integer> port() {
        return endpoint.map(open -> open.server.getAddress().getPort());
    }

    private static InetSocketAddress parse(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        try {
            String host = address.substring(0, Math.max(0, colon));
            int port = Integer.parseInt(address.substring(colon + 1));
            // containerd takes ":1338" for every address of the machine.
            return host.isEmpty()
                    ? new InetSocketAddress(port)
                    : new InetSocketAddress(InetAddress.getByName(host), port);
        } catch (IllegalArgumentException e) {
            throw new InvalidArgumentException(
                    "metrics address \"%s\" must be host:port, e.g. 127.0.0.1:1338".formatted(address), e);
        }
    }

    @Override
    public void close() {
        endpoint.ifPresent(Endpoint::close);
        registry.close();
    }

    /** Answers requests for the metrics, one virtual thread each. */
    private static final class Endpoint {

        private final HttpServer server;
        private final ExecutorService requests = Executors.newVirtualThreadPerTaskExecutor();
        private final PrometheusMeterRegistry registry;

        Endpoint(InetSocketAddress address, PrometheusMeterRegistry registry) throws IOException {
            this.registry = registry;
            this.server = HttpServer.create(address, 0);
            server.setExecutor(requests);
            server.createContext(PATH, this::answer);
            server.start();
        }

        private void answer(HttpExchange exchange) throws IOException {
            try (exchange) {
                if (!exchange.getRequestURI().getPath().equals(PATH)) {
                    exchange.sendResponseHeaders(404, -1);
                    return;
                }
                byte[] body = registry.scrape().getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
                exchange.sendResponseHeaders(200, body.length);
                try (OutputStream out = exchange.getResponseBody()) {
                    out.write(body);
                }
            }
        }

        void close() {
            server.stop(0);
            requests.shutdownNow();
        }
    }
}
