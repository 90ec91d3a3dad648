package dev.longshore.daemon.runtime;

import dev.longshore.api.task.v3.ConnectResponse;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnknownException;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;

/** Starts shims and connects to them. */
final class Shims {

    private final ShimStarter starter;
    private final ShimConnection.Connector connector;

    Shims(ShimStarter starter, ShimConnection.Connector connector) {
        this.starter = starter;
        this.connector = connector;
    }

    /**
     * Runs {@code start} and connects to what it answers. What is needed to do without this after a restart is written to
     * the bundle: the program before it runs, so that a bundle whose shim may run can be cleaned up; its answer after.
     *
     * @return connected, but not yet attached to {@code link}
     */
    ShimClient start(Bundle bundle, ShimLink link, Deadline deadline) {
        try {
            bundle.writeShimBinary(link.binary());
            BootstrapAnswer answer = starter.start(bundle, link.binary(), link.options(), deadline);
            bundle.writeBootstrap(answer);
            return connect(bundle, link, answer, deadline);
        } catch (IOException e) {
            throw new UnknownException("cannot write to bundle %s: %s".formatted(bundle.path(), e.getMessage()), e);
        }
    }

    /**
     * @return connected, but not yet attached to {@code link}
     * @throws UnavailableException if nobody listens
     */
    ShimClient connect(Bundle bundle, ShimLink link, BootstrapAnswer answer, Deadline deadline) {
        // First: of a shim that is dead it must be known whether another can take over.
        link.replaceable(answer.reattaches());
        AtomicReference<ShimClient> connected = new AtomicReference<>();
        ShimConnection connection = connector.connect(bundle, answer, deadline, () -> {
            ShimClient shim = connected.get();
            // A loss before this is noticed when the client is attached.
            if (shim != null) {
                link.lost(shim);
            }
        });
        ShimClient shim = new ShimClient(bundle, connection, answer.version());
        connected.set(shim);
        return shim;
    }

    /** Asks a shim of before for its container, and closes the connection if it does not say. */
    static ConnectResponse askForContainer(ShimClient shim, Deadline deadline) {
        try {
            return shim.connect(deadline);
        } catch (ContainerdException e) {
            shim.close();
            throw e;
        }
    }
}
