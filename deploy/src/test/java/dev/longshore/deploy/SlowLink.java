package dev.longshore.deploy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/** A port on loopback behind which another one is, at so many bytes a second for each connection. */
final class SlowLink implements AutoCloseable {

    private static final int PIECE = 64 << 10;

    private final ServerSocket server;
    private final int target;
    private final long rate;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

    /** @param target {@code 127.0.0.1:port} */
    SlowLink(String target, long rate) throws IOException {
        this.target = Integer.parseInt(target.substring(target.indexOf(':') + 1));
        this.rate = rate;
        this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.startVirtualThread(this::accept);
    }

    /** {@code host:port}. */
    String host() {
        return "127.0.0.1:" + server.getLocalPort();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = server.accept();
                Socket registry = new Socket(InetAddress.getLoopbackAddress(), target);
                sockets.add(client);
                sockets.add(registry);
                Thread.startVirtualThread(() -> copy(client, registry, Long.MAX_VALUE));
                Thread.startVirtualThread(() -> copy(registry, client, rate));
            }
        } catch (IOException e) {
            return; // closed
        }
    }

    private void copy(Socket from, Socket to, long limit) {
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] piece = new byte[PIECE];
            for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
                out.write(piece, 0, count);
                LockSupport.parkNanos(count * 1_000_000_000L / limit);
            }
        } catch (IOException e) {
            return; // one of the two has gone
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}
