package dev.longshore.transport.grpc;

import io.grpc.BindableService;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code grpc.health.v1.Health} of a program that serves or does not: as a whole, which is the service {@code ""}, and the same
 * for each of its services by name.
 */
public final class Health {

    private final HealthStatusManager manager = new HealthStatusManager();
    private final List<String> names = new ArrayList<>();

    /** Not serving until {@link #serving} is called. */
    public Health(List<? extends BindableService> services) {
        names.add(HealthStatusManager.SERVICE_NAME_ALL_SERVICES);
        services.forEach(service ->
                names.add(service.bindService().getServiceDescriptor().getName()));
        names.forEach(name -> manager.setStatus(name, ServingStatus.NOT_SERVING));
    }

    public BindableService service() {
        return manager.getHealthService();
    }

    public void serving() {
        names.forEach(name -> manager.setStatus(name, ServingStatus.SERVING));
    }

    /** For good: the program is about to end. */
    public void stopping() {
        manager.enterTerminalState();
    }
}
