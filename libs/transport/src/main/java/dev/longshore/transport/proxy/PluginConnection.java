package dev.longshore.transport.proxy;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.RemoteChannels;
import dev.longshore.transport.grpc.SocketProbe;
import dev.longshore.transport.grpc.TlsFiles;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.grpc.UnixChannels;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.health.v1.HealthGrpc.HealthBlockingStub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** The connection to a plugin. It is made when it is first used, and again whenever it has to. */
public final class PluginConnection implements AutoCloseable {

    private final PluginAddress address;
    private final ManagedChannel channel;

    /** The connection to a plugin on this machine. */
    public PluginConnection(UnixChannels channels, Path socket) {
        this.address = new PluginAddress.Unix(socket);
        this.channel = channels.open(socket, List.of());
    }

    /**
     * The connection to a plugin on another machine.
     *
     * @param tls empty for none
     */
    public PluginConnection(RemoteChannels channels, PluginAddress.Remote address, Optional<TlsFiles> tls) {
        this.address = address;
        this.channel = channels.open(address, tls);
    }

    /** The snapshotter that the plugin serves under {@code name}. */
    public Snapshotter snapshotter(String name) {
        return new ProxySnapshotter(channel, name);
    }

    public ContentStore contentStore() {
        return new ProxyContentStore(channel);
    }

    public Applier applier() {
        return new ProxyApplier(channel);
    }

    public Comparer comparer() {
        return new ProxyComparer(channel);
    }

    /** Whether there is a connection now, over which a call can go. */
    public boolean isReady() {
        return channel.getState(false) == ConnectivityState.READY;
    }

    /**
     * Has {@code lost} run whenever the connection ends other than by {@link #retire} or {@link #close}, by a thread that it must not
     * keep. Another one may be made by then.
     *
     * @param lost tells whether it is to be run the next time, too
     */
    public void onLoss(BooleanSupplier lost) {
        ConnectivityState state = channel.getState(false);
        if (state == ConnectivityState.SHUTDOWN) {
            return;
        }
        channel.notifyWhenStateChanged(state, () -> {
            boolean ended = state == ConnectivityState.READY && !channel.isShutdown();
            if (!ended || lost.getAsBoolean()) {
                onLoss(lost);
            }
        });
    }

    /**
     * Why nobody would take a connection now; empty if somebody would, who then may or may not answer. Of a plugin on
     * another machine that is not known.
     */
    public Optional<String> absence() {
        return switch (address) {
            case PluginAddress.Unix(Path socket) -> absence(socket);
            case PluginAddress.Remote _ -> Optional.empty();
        };
    }

    private static Optional<String> absence(Path socket) {
        try {
            if (SocketProbe.isAnswered(socket)) {
                return Optional.empty();
            }
            return Optional.of(
                    Files.exists(socket)
                            ? "nobody listens on its socket: start it"
                            : "its socket is not there: start it, or correct its address");
        } catch (IOException e) {
            return Optional.of("its socket cannot be connected to: " + e.getMessage());
        }
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
            response = Unary.call(() -> health(context).check(HealthCheckRequest.getDefaultInstance()));
        } catch (UnimplementedException e) {
            return;
        }
        if (response.getStatus() != ServingStatus.SERVING) {
            throw new UnavailableException("the plugin says of itself that it is " + response.getStatus());
        }
    }

    private HealthBlockingStub health(CallContext context) {
        HealthBlockingStub stub = CallContexts.send(HealthGrpc.newBlockingStub(channel), context);
        return switch (address) {
            case PluginAddress.Unix _ -> stub.withWaitForReady();
            // Without waiting for a connection, a failure says why there is none: a name, a route, a certificate.
            case PluginAddress.Remote _ -> stub;
        };
    }

    /** Calls under way go on to their end; new ones fail. */
    public void retire() {
        channel.shutdown();
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
