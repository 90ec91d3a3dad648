package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a plugin is reached. */
public sealed interface PluginAddress {

    /** A unix socket of this machine: an absolute path, as it is written in configurations. */
    record Unix(Path socket) implements PluginAddress {

        @Override
        public String toString() {
            return socket.toString();
        }
    }

    /**
     * A port of another machine, or of several.
     *
     * @param host a name or an IP address, an IPv6 address in brackets
     * @param balanced whether calls go to all addresses of the name in turn ({@code dns:///}), or to one of them ({@code tcp://})
     */
    record Remote(String host, int port, boolean balanced) implements PluginAddress {

        @Override
        public String toString() {
            return "%s%s:%d".formatted(balanced ? DNS : TCP, host, port);
        }
    }

    String TCP = "tcp://";
    String DNS = "dns:///";

    /**
     * The address that {@code text} stands for: an absolute path with or without {@code unix://}, {@code tcp://host:port} or
     * {@code dns:///name:port}.
     *
     * @throws InvalidArgumentException if it is none of these
     */
    static PluginAddress parse(String text) {
        if (text.startsWith(TCP)) {
            return remote(text, text.substring(TCP.length()), false);
        }
        if (text.startsWith(DNS)) {
            return remote(text, text.substring(DNS.length()), true);
        }
        if (text.contains("://") && !text.startsWith("unix://")) {
            throw new InvalidArgumentException(
                    "address \"%s\" has a scheme that is none of unix://, tcp://host:port and dns:///name:port"
                            .formatted(text));
        }
        return new Unix(SocketPath.parse(text));
    }

    private static Remote remote(String text, String hostAndPort, boolean balanced) {
        Matcher parts = Pattern.compile("([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+]):([0-9]{1,5})")
                .matcher(hostAndPort);
        if (!parts.matches()
                || Integer.parseInt(parts.group(2)) > 65535
                || parts.group(2).equals("0")) {
            throw new InvalidArgumentException(
                    "address \"%s\" must name a host and a port: tcp://host:port or dns:///name:port".formatted(text));
        }
        return new Remote(parts.group(1), Integer.parseInt(parts.group(2)), balanced);
    }
}
