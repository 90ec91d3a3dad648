package dev.longshore.sdk.socket;

import java.io.IOException;
import java.net.DatagramPacket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.newsclub.net.unix.AFUNIXDatagramSocket;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells systemd how the service stands, where it asked for that by {@code NOTIFY_SOCKET}; see sd_notify(3). A
 * notification that cannot be sent is logged and fails nobody.
 */
public final class SystemdNotifier {

    private static final Logger log = LoggerFactory.getLogger(SystemdNotifier.class);

    private final String socket;

    /** @param environment of the process */
    public SystemdNotifier(Map<String, String> environment) {
        this.socket = environment.getOrDefault("NOTIFY_SOCKET", "");
    }

    /** The service serves. */
    public void ready() {
        send("READY=1");
    }

    /** The service is about to end. */
    public void stopping() {
        send("STOPPING=1");
    }

    private void send(String state) {
        if (socket.isEmpty()) {
            return; // and junixsocket is never loaded
        }
        try {
            Datagram.send(socket, state);
        } catch (IOException | RuntimeException e) {
            log.atWarn()
                    .addKeyValue("socket", socket)
                    .addKeyValue("state", state)
                    .addKeyValue("err", e.getMessage())
                    .log("cannot notify systemd");
        }
    }

    /** Apart, so that its libraries load when they are needed. */
    private static final class Datagram {

        private Datagram() {}

        static void send(String socket, String state) throws IOException {
            // '@' stands for the zero byte of the abstract namespace.
            AFUNIXSocketAddress address = socket.startsWith("@")
                    ? AFUNIXSocketAddress.inAbstractNamespace(socket.substring(1))
                    : AFUNIXSocketAddress.of(Path.of(socket));
            byte[] message = state.getBytes(StandardCharsets.UTF_8);
            try (AFUNIXDatagramSocket sender = AFUNIXDatagramSocket.newInstance()) {
                sender.connect(address);
                sender.send(new DatagramPacket(message, message.length));
            }
        }
    }
}
