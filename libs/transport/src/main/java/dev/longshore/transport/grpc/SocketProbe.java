package dev.longshore.transport.grpc;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds out whether somebody listens on a socket, at once. */
public final class SocketProbe {

    private SocketProbe() {}

    /**
     * Whether a connection to {@code socket} is taken, or would be if fewer waited. A process that is stopped or hangs still
     * takes connections.
     *
     * @throws IOException if this process may not connect
     */
    public static boolean isAnswered(Path socket) throws IOException {
        // Non-blocking: connect(2) waits as long as the queue of a listener that hangs is full.
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.configureBlocking(false);
            channel.connect(UnixDomainSocketAddress.of(socket));
            return true;
        } catch (IOException e) {
            String reason = String.valueOf(e.getMessage());
            if (reason.contains("temporarily unavailable")) {
                return true;
            }
            if (reason.contains("Connection refused") || !Files.exists(socket)) {
                return false;
            }
            throw e;
        }
    }
}
