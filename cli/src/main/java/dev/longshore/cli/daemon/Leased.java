package dev.longshore.cli.daemon;

import static dev.longshore.transport.grpc.Unary.call;

import dev.longshore.api.services.leases.v1.CreateRequest;
import dev.longshore.api.services.leases.v1.DeleteRequest;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;

/**
 * A lease for the time of a job: what is made through {@link #daemon} is not collected before this is closed. One that is
 * never closed, because this process was killed, expires after a day.
 */
public final class Leased implements AutoCloseable {

    private final Daemon daemon;
    private final String id;

    public Leased(Daemon daemon) {
        String expiry = Instant.now()
                .plus(1, ChronoUnit.DAYS)
                .truncatedTo(ChronoUnit.SECONDS)
                .toString();
        CreateRequest request = CreateRequest.newBuilder()
                .setId("longshore-" + UUID.randomUUID())
                .putLabels("containerd.io/gc.expire", expiry)
                .build();
        this.id = call(() -> daemon.leases().create(request)).getLease().getId();
        this.daemon = daemon.withLease(id);
    }

    public Daemon daemon() {
        return daemon;
    }

    @Override
    public void close() {
        call(() -> daemon.leases().delete(DeleteRequest.newBuilder().setId(id).build()));
    }
}
