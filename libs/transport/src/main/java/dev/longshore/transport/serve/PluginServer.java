package dev.longshore.transport.serve;

import dev.longshore.sdk.socket.SystemdNotifier;
import dev.longshore.transport.grpc.Health;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.BindableService;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a plugin program needs besides its implementation: a socket that only its owner can connect to, the health service,
 * sd_notify, and an orderly end on SIGTERM.
 */
public final class PluginServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(PluginServer.class);

    /** What calls under way have to finish in when the program is told to end. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final UnixServer server;
    private final Health health;
    private final SystemdNotifier systemd;
    private final CountDownLatch stop = new CountDownLatch(1);
    private final AtomicBoolean closed = new AtomicBoolean();

    private PluginServer(UnixServer server, Health health, SystemdNotifier systemd) {
        this.server = server;
        this.health = health;
        this.systemd = systemd;
    }

    /**
     * Starts to serve, and says so to systemd.
     *
     * @param socket of mode 0600
     * @param environment of the process
     */
    public static PluginServer start(Path socket, Map<String, String> environment, BindableService... services)
            throws IOException {
        Health health = new Health(List.of(services));
        UnixServer server = UnixServer.start(
                SocketFile.privateTo(socket),
                Stream.concat(Stream.of(services), Stream.of(health.service())).toList(),
                List.of());
        PluginServer plugin = new PluginServer(server, health, new SystemdNotifier(environment));
        health.serving();
        plugin.systemd.ready();
        log.atInfo().addKeyValue("address", socket).log("plugin serves");
        return plugin;
    }

    /**
     * Serves until the process is told to end (SIGTERM, SIGINT), then closes this server and {@code resources}, in that order.
     */
    public void serveUntilTold(AutoCloseable... resources) throws InterruptedException {
        Thread main = Thread.currentThread();
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            stop.countDown();
                            try {
                                // The JVM halts when its hooks are done: let main finish first.
                                main.join(GRACE.plusSeconds(2));
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        },
                        "shutdown"));
        stop.await();
        close();
        for (AutoCloseable resource : resources) {
            try {
                resource.close();
            } catch (Exception e) {
                log.atError().setCause(e).log("cannot close");
            }
        }
        log.atInfo().log("plugin stopped");
    }

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        health.stopping();
        systemd.stopping();
        server.stop(GRACE);
    }
}
