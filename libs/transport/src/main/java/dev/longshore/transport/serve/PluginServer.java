package dev.longshore.transport.serve;

import dev.longshore.sdk.linux.ListenSocket;
import dev.longshore.sdk.signal.EndSignal;
import dev.longshore.sdk.socket.SystemdNotifier;
import dev.longshore.transport.grpc.Health;
import dev.longshore.transport.grpc.InheritedSockets;
import dev.longshore.transport.grpc.ServerMetrics;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.metrics.Metrics;
import io.grpc.BindableService;
import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a plugin program needs besides its implementation; {@link #serve} is all that its {@code main} has to call. It brings
 *
 * <ul>
 *   <li>a unix socket of mode 0600, on which only the daemon's user, root and this user are heard; or the one that systemd
 *       listens on for this program, so that callers wait while it restarts;
 *   <li>the call's namespace, lease and deadline as a {@link dev.longshore.sdk.context.CallContext};
 *   <li>the classes of {@code dev.longshore.sdk.errors} as the statuses that containerd expects;
 *   <li>the health service, metrics, a log line for each call at debug level, sd_notify;
 *   <li>an orderly end on SIGTERM: no new calls, those under way have 5 s, then the implementations are closed.
 * </ul>
 */
public final class PluginServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(PluginServer.class);

    /** What calls under way have to finish in when the program is told to end. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final UnixServer server;
    private final Health health;
    private final Metrics metrics;
    private final SystemdNotifier systemd;
    private final List<Backend> backends;
    private final AtomicBoolean closed = new AtomicBoolean();

    private PluginServer(
            UnixServer server, Health health, Metrics metrics, SystemdNotifier systemd, List<Backend> backends) {
        this.server = server;
        this.health = health;
        this.metrics = metrics;
        this.systemd = systemd;
        this.backends = backends;
    }

    /**
     * Serves until the process is told to end (SIGTERM, SIGINT), then closes the backends, in their order. They are closed too
     * if it cannot serve.
     */
    public static void serve(ServeOptions options, Backend... backends) throws IOException, InterruptedException {
        serve(options, _ -> {}, backends);
    }

    /**
     * Serves as {@link #serve(ServeOptions, Backend...)}.
     *
     * @param meters what the program measures besides its calls
     */
    public static void serve(ServeOptions options, MeterBinder meters, Backend... backends)
            throws IOException, InterruptedException {
        try (EndSignal end = EndSignal.listen(GRACE.plusSeconds(2))) {
            try (PluginServer server = start(options, meters, backends)) {
                end.await();
            }
            log.atInfo().log("plugin stopped");
        }
    }

    /** Starts to serve, and says so to systemd. Closing the answer closes the backends, in their order. */
    public static PluginServer start(ServeOptions options, Backend... backends) throws IOException {
        return start(options, _ -> {}, backends);
    }

    private static PluginServer start(ServeOptions options, MeterBinder meters, Backend... backends)
            throws IOException {
        List<Backend> all = List.of(backends);
        try {
            return open(options, meters, all);
        } catch (IOException | RuntimeException e) {
            close(all);
            throw e;
        }
    }

    private static PluginServer open(ServeOptions options, MeterBinder meters, List<Backend> backends)
            throws IOException {
        List<BindableService> services = backends.stream().map(Backend::service).toList();
        Health health = new Health(services);
        Metrics metrics = Metrics.open(options.metricsAddress());
        PluginServer plugin;
        try {
            meters.bindTo(metrics.registry());
            List<ServerInterceptor> interceptors = new ArrayList<>(List.of(new CallLog()));
            if (options.metricsAddress().isPresent()) {
                interceptors.add(new ServerMetrics(metrics.registry()));
            }
            UnixServer server = listen(
                    options,
                    Stream.concat(services.stream(), Stream.of(health.service()))
                            .toList(),
                    interceptors);
            plugin = new PluginServer(server, health, metrics, new SystemdNotifier(options.environment()), backends);
        } catch (IOException | RuntimeException e) {
            metrics.close();
            throw e;
        }
        health.serving();
        plugin.systemd.ready();
        return plugin;
    }

    private static UnixServer listen(
            ServeOptions options, List<BindableService> services, List<ServerInterceptor> interceptors)
            throws IOException {
        SocketFile file = options.socket();
        Optional<ListenSocket> inherited = InheritedSockets.find(options.environment(), file.path());
        UnixServer server = inherited.isPresent()
                ? UnixServer.start(inherited.get(), file.peers(), services, interceptors)
                : UnixServer.start(file, services, interceptors);
        log.atInfo()
                .addKeyValue("address", file.path())
                .addKeyValue("activated", inherited.isPresent())
                .log("plugin serves");
        return server;
    }

    /** The port of the metrics; empty if there are none. */
    Optional<Integer> metricsPort() {
        return metrics.port();
    }

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        health.stopping();
        systemd.stopping();
        server.stop(GRACE);
        metrics.close();
        close(backends);
    }

    private static void close(List<Backend> backends) {
        for (Backend backend : backends) {
            try {
                backend.implementation().close();
            } catch (Exception e) {
                log.atError().setCause(e).log("cannot close");
            }
        }
    }
}
