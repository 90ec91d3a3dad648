package dev.longshore.daemon.transfer;

import dev.longshore.daemon.metadata.LeaseStore;
import dev.longshore.daemon.transfer.TransferStores.Leases;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.NotFoundException;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;

/** Leases that end with a transfer, or a day later if the daemon dies meanwhile. */
public final class TransferLeases implements Leases {

    private static final Duration LIFE = Duration.ofDays(1);

    private final LeaseStore leases;
    private final Clock clock;

    public TransferLeases(LeaseStore leases, Clock clock) {
        this.leases = leases;
        this.clock = clock;
    }

    @Override
    public CallContext begin(CallContext context) {
        if (context.lease().isPresent()) {
            return context;
        }
        String id = "transfer-" + UUID.randomUUID();
        var _ = leases.create(
                context.requireNamespace(),
                id,
                Map.of(
                        "containerd.io/gc.expire",
                        clock.instant()
                                .plus(LIFE)
                                .truncatedTo(ChronoUnit.SECONDS)
                                .toString()));
        return context.withLease(id);
    }

    @Override
    public void end(CallContext context, CallContext leased) {
        if (context.lease().isPresent()) {
            return;
        }
        try {
            leases.delete(context.requireNamespace(), leased.lease().orElseThrow());
        } catch (NotFoundException e) {
            return; // it has expired
        }
    }
}
