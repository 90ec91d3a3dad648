package dev.longshore.daemon.service;

import dev.longshore.transport.grpc.Health;
import dev.longshore.transport.grpc.SentLimit;
import dev.longshore.transport.grpc.ServerMetrics;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.BindableService;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/** The services of the daemon's socket, and {@code grpc.health.v1.Health} beside them. */
public final class GrpcServices {

    private final List<BindableService> services = new ArrayList<>();
    private static final String TYPE = "io.containerd.grpc.v1.";

    private final MeterRegistry registry;
    private final Set<String> disabled;

    /**
     * @param registry for the measurements of calls
     * @param disabled plugins that are not to be served, by type and id
     */
    public GrpcServices(MeterRegistry registry, Collection<String> disabled) {
        this.registry = registry;
        this.disabled = Set.copyOf(disabled);
    }

    /** @param id of the plugin {@code io.containerd.grpc.v1.<id>} */
    public GrpcServices add(String id, BindableService service) {
        if (!disabled.contains(TYPE + id)) {
            services.add(service);
        }
        return this;
    }

    /**
     * Serves on {@code socket}, with mode 0660, for the owner and the group.
     *
     * @param maxReceived bytes of one message that is taken
     * @param maxSent bytes of one that is answered
     * @return to be closed to stop
     */
    public AutoCloseable listen(Path socket, int uid, int gid, int maxReceived, int maxSent) throws IOException {
        Health health = new Health(services);
        add("healthcheck", health.service());
        UnixServer server = UnixServer.start(
                new SocketFile(socket, PosixFilePermissions.fromString("rw-rw----"), uid, gid),
                services,
                List.of(new ServerMetrics(registry), new SentLimit(maxSent)),
                maxReceived);
        health.serving();
        return () -> {
            health.stopping();
            server.close();
        };
    }
}
