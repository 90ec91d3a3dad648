package dev.longshore.daemon.service;

import dev.longshore.transport.grpc.Health;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import io.grpc.BindableService;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/** The services of the daemon's socket, and {@code grpc.health.v1.Health} beside them. */
public final class GrpcServices {

    private final List<BindableService> services = new ArrayList<>();
    private final Health health = new Health();

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
        services.add(health.service());
        UnixServer server = UnixServer.start(
                new SocketFile(socket, PosixFilePermissions.fromString("rw-rw----"), uid, gid), services, List.of());
        health.serving();
        return () -> {
            health.stopping();
            server.close();
        };
    }
}
