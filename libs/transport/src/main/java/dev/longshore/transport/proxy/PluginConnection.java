package dev.longshore.transport.proxy;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.grpc.UnixChannels;
import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.nio.file.Path;
import java.util.List;

/** The connection to a plugin's socket. It is made when it is first used, and again whenever it has to. */
public final class PluginConnection implements AutoCloseable {

    private final ManagedChannel channel;

    public PluginConnection(UnixChannels channels, Path socket) {
        this.channel = channels.open(socket, List.of());
    }

    /** The snapshotter that the plugin serves under {@code name}. */
    public Snapshotter snapshotter(String name) {
        return new ProxySnapshotter(channel, name);
    }

    /**
     * Asks the plugin whether it serves. One without the health service serves if it answers that it has none.
     *
     * @throws dev.longshore.sdk.errors.ContainerdException if it does not answer, or says no
     */
    public void check(CallContext context) {
        // A plugin that comes back is to be found now, not when gRPC's back-off is over.
        channel.resetConnectBackoff();
        HealthCheckResponse response;
        try {
            response = Unary.call(() -> CallContexts.send(HealthGrpc.newBlockingStub(channel), context)
                    .withWaitForReady()
                    .check(HealthCheckRequest.getDefaultInstance()));
        } catch (UnimplementedException e) {
            return;
        }
        if (response.getStatus() != ServingStatus.SERVING) {
            throw new UnavailableException("the plugin says of itself that it is " + response.getStatus());
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
