package dev.longshore.transport.grpc;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.net.SocketAddress;

/**
 * Stands in for the binding of a channel that came bound, and lets it accept from that moment on: not before there is somebody
 * who takes the connections.
 */
final class AlreadyBound extends ChannelOutboundHandlerAdapter {

    @Override
    public void bind(ChannelHandlerContext context, SocketAddress address, ChannelPromise promise) {
        promise.setSuccess();
        context.channel().config().setAutoRead(true);
    }
}
