package dev.longshore.transport.grpc;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.nio.NioChannelOption;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes connections of users who have no business here, before a byte is read. The kernel says who they are. The mode of the
 * socket keeps them out already; this is for the day when somebody changes the mode.
 */
final class PeerCheck extends ChannelInboundHandlerAdapter {

    private static final Logger log = LoggerFactory.getLogger(PeerCheck.class);

    private final Set<Integer> uids;

    PeerCheck(Set<Integer> uids) {
        this.uids = uids;
    }

    /** On a listening channel, what is read are connections. */
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
        Channel connection = (Channel) message;
        if (isAllowed(connection)) {
            super.channelRead(context, message);
            return;
        }
        log.atWarn().addKeyValue("address", context.channel().localAddress()).log("connection of another user refused");
        connection.unsafe().closeForcibly();
    }

    private boolean isAllowed(Channel connection) throws IOException {
        if (connection instanceof EpollDomainSocketChannel epoll) {
            return uids.contains(epoll.peerCredentials().uid());
        }
        UnixDomainPrincipal peer =
                connection.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
        var users = FileSystems.getDefault().getUserPrincipalLookupService();
        for (int uid : uids) {
            // A number is looked up as such; principals are compared by their uid.
            if (users.lookupPrincipalByName(Integer.toString(uid)).equals(peer.user())) {
                return true;
            }
        }
        return false;
    }
}
