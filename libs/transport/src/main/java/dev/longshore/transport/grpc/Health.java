package dev.longshore.transport.grpc;

import io.grpc.BindableService;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;

/** {@code grpc.health.v1.Health} of a program that serves or does not, as a whole (service {@code ""}). */
public final class Health {

    private final HealthStatusManager manager = new HealthStatusManager();

    /** Not serving until {@link #serving} is called. */
    public Health() {
        manager.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.NOT_SERVING);
    }

    public BindableService service() {
        return manager.getHealthService();
    }

    public void serving() {
        manager.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.SERVING);
    }

    /** For good: the program is about to end. */
    public void stopping() {
        manager.enterTerminalState();
    }
}
