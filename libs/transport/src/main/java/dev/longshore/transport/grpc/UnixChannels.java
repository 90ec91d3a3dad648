package dev.longshore.transport.grpc;

import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Makes gRPC channels to unix sockets; all of them share one event loop. Channels are closed by who opened them. */
public final class UnixChannels implements AutoCloseable {

    private static final int FLOW_CONTROL_WINDOW = 1 << 20;

    private final EventLoopGroup eventLoop = EventLoops.open("grpc-client");
    private final ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();

    /** A channel that connects to {@code socket} when it is first used, and again whenever it has to. */
    public ManagedChannel open(Path socket, List<? extends ClientInterceptor> interceptors) {
        return NettyChannelBuilder.forAddress(EventLoops.address(socket))
                .channelType(EventLoops.channelType())
                .eventLoopGroup(eventLoop)
                .executor(calls)
                .negotiationType(NegotiationType.PLAINTEXT)
                // Without this grpc-java sends the path, which Rust's h2 refuses.
                .overrideAuthority("localhost")
                .maxInboundMessageSize(UnixServer.MAX_MESSAGE_SIZE)
                .flowControlWindow(FLOW_CONTROL_WINDOW)
                .intercept(List.copyOf(interceptors))
                .build();
    }

    @Override
    public void close() {
        EventLoops.close(eventLoop);
        calls.shutdownNow();
    }
}
