package dev.longshore.transport.grpc;

import io.grpc.ManagedChannel;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Makes gRPC channels to other machines; all of them share one event loop. Channels are closed by who opened them. */
public final class RemoteChannels implements AutoCloseable {

    private static final int FLOW_CONTROL_WINDOW = 1 << 20;

    /** Milliseconds until a connection over which nothing comes back is given up; see tcp(7). */
    private static final int ACKNOWLEDGED_WITHIN = 10_000;

    /**
     * Calls go round all addresses that are connected and, by their own health service, well. An address whose server has no
     * such service counts as well.
     */
    private static final Map<String, ?> BALANCED = Map.of(
            "loadBalancingConfig", List.of(Map.of("round_robin", Map.of())),
            "healthCheckConfig", Map.of("serviceName", ""));

    private final ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable EventLoopGroup eventLoop;

    /**
     * A channel that connects when it is first used, and again whenever it has to.
     *
     * @param tls empty for none: whoever is on the way reads and changes what is said
     */
    public ManagedChannel open(PluginAddress.Remote address, Optional<TlsFiles> tls) {
        NettyChannelBuilder builder = NettyChannelBuilder.forTarget(
                        "dns:///%s:%d".formatted(address.host(), address.port()))
                .channelType(EventLoops.tcpChannelType())
                .eventLoopGroup(eventLoop())
                .executor(calls)
                .maxInboundMessageSize(UnixServer.MAX_MESSAGE_SIZE)
                .flowControlWindow(FLOW_CONTROL_WINDOW);
        EventLoops.acknowledgedWithin(builder, ACKNOWLEDGED_WITHIN);
        if (tls.isPresent()) {
            builder.sslContext(tls.get().clientContext());
        } else {
            builder.negotiationType(NegotiationType.PLAINTEXT);
        }
        if (address.balanced()) {
            builder.defaultServiceConfig(BALANCED).disableServiceConfigLookUp();
        }
        return builder.build();
    }

    /** Made when it is first needed: most daemons have no plugin elsewhere. */
    private EventLoopGroup eventLoop() {
        lock.lock();
        try {
            if (eventLoop == null) {
                eventLoop = EventLoops.open("grpc-remote");
            }
            return eventLoop;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (eventLoop != null) {
                EventLoops.close(eventLoop);
            }
        } finally {
            lock.unlock();
        }
        calls.shutdownNow();
    }
}
