package dev.longshore.daemon.service;

import dev.longshore.transport.grpc.Health;
import dev.longshore.transport.grpc.ServerMetrics;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.BindableService;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/** The services of the daemon's socket, and {@code grpc.health.v1.Health} beside them. */
public final class GrpcServices {

    private final List<BindableService> services = new ArrayList<>();
    private final MeterRegistry registry;

    /** @param registry for the measurements of calls */
    public GrpcServices(MeterRegistry registry) {
        this.registry = registry;
    }

    public GrpcServices add(BindableService service) {
        services.add(service);
        return this;
    }

    /**
     * Serves on {@code socket}, with mode 0660, for the owner and the group.
     *
     * @return to be closed to stop
     */
    public AutoCloseable listen(Path socket, int uid, int gid) throws IOException {
        Health health = new Health(services);
        services.add(health.service());
        UnixServer server = UnixServer.start(
                new SocketFile(socket, PosixFilePermissions.fromString("rw-rw----"), uid, gid),
                services,
                List.of(new ServerMetrics(registry)));
        health.serving();
        return () -> {
            health.stopping();
            server.close();
        };
    }
}
