package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Addresses of unix sockets as configurations write them. */
public final class SocketPath {

    /** Bytes that fit into a socket address, without the closing zero; see unix(7). */
    private static final int MAX_LENGTH = 107;

    private static final String SCHEME = "unix://";

    private SocketPath() {}

    /**
     * The path of {@code address}, with or without {@code unix://}.
     *
     * @throws InvalidArgumentException if it is not an absolute path, or longer than a socket address can be
     */
    public static Path parse(String address) {
        String path = address.startsWith(SCHEME) ? address.substring(SCHEME.length()) : address;
        if (!path.startsWith("/")) {
            throw new InvalidArgumentException(
                    "socket address \"%s\" must be an absolute path, with or without unix:// before it"
                            .formatted(address));
        }
        if (path.getBytes(StandardCharsets.UTF_8).length > MAX_LENGTH) {
            throw new InvalidArgumentException(
                    "socket path %s is longer than the %d bytes that a unix socket allows: use a shorter folder"
                            .formatted(path, MAX_LENGTH));
        }
        return Path.of(path);
    }
}
