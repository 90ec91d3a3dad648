package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.ListenSocket;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Netty's side of unix sockets: its native epoll where that loads, else the JDK's own. One thread moves the bytes of all
 * connections; the work is done on virtual threads.
 */
final class EventLoops {

    private static final boolean NATIVE = Epoll.isAvailable();

    private EventLoops() {}

    static EventLoopGroup open(String name) {
        IoHandlerFactory handler = NATIVE ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
        return new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name, true), handler);
    }

    /**
     * Ends a loop of clients, without waiting for it. gRPC closes its channels on threads of its own, which go on to hand
     * tasks to the loop for a moment after {@code shutdown} has returned: they find it there until it has been quiet for a
     * while, two seconds at most.
     */
    static void close(EventLoopGroup eventLoop) {
        var _ = eventLoop.shutdownGracefully(200, 2_000, TimeUnit.MILLISECONDS);
    }

    static Class<? extends Channel> channelType() {
        return NATIVE ? EpollDomainSocketChannel.class : NioDomainSocketChannel.class;
    }

    static Class<? extends Channel> tcpChannelType() {
        return NATIVE ? EpollSocketChannel.class : NioSocketChannel.class;
    }

    /** Has connections of TCP given up when what was sent is not acknowledged for so long; only Netty's own epoll can. */
    static void acknowledgedWithin(NettyChannelBuilder builder, int milliseconds) {
        if (NATIVE) {
            builder.withOption(EpollChannelOption.TCP_USER_TIMEOUT, milliseconds);
        }
    }

    /** @param peers uids that may connect; empty for all */
    static ServerChannel serverChannel(Set<Integer> peers) {
        return checked(NATIVE ? new EpollServerDomainSocketChannel() : new NioServerDomainSocketChannel(), peers);
    }

    /**
     * A channel over a socket that listens already.
     *
     * @param peers uids that may connect; empty for all
     * @throws FailedPreconditionException where Netty has no native library: the JDK cannot adopt a socket
     */
    static ServerChannel serverChannel(ListenSocket socket, Set<Integer> peers) {
        if (!NATIVE) {
            throw new FailedPreconditionException(
                    "socket %s of systemd cannot be used: Netty's native library does not load: disable the socket unit"
                            .formatted(socket.path()),
                    Epoll.unavailabilityCause());
        }
        ServerChannel channel = new EpollServerDomainSocketChannel(socket.descriptor());
        channel.config().setAutoRead(false);
        channel.pipeline().addFirst(new AlreadyBound());
        return checked(channel, peers);
    }

    private static ServerChannel checked(ServerChannel channel, Set<Integer> peers) {
        if (!peers.isEmpty()) {
            channel.pipeline().addFirst(new PeerCheck(peers));
        }
        return channel;
    }

    static SocketAddress address(Path socket) {
        return NATIVE ? new DomainSocketAddress(socket.toString()) : UnixDomainSocketAddress.of(socket);
    }
}
