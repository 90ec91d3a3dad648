package dev.longshore.transport.serve;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.transport.grpc.SocketPath;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Where and for whom a plugin program serves.
 *
 * @param socket its file, and who may connect
 * @param metricsAddress {@code host:port} to serve {@code /v1/metrics} on; empty for no metrics
 * @param environment of the process: what systemd has to say
 */
public record ServeOptions(SocketFile socket, Optional<String> metricsAddress, Map<String, String> environment) {

    public ServeOptions {
        environment = Map.copyOf(environment);
    }

    /** A socket of mode 0600 for this process's user and root, no metrics, the environment of this process. */
    public static ServeOptions of(Path socket) throws IOException {
        return new ServeOptions(SocketFile.privateTo(socket), Optional.empty(), System.getenv());
    }

    /** Adds the flags that {@link #of(Parsed)} reads to those of a program. */
    public static Flags flags(Flags flags) {
        return flags.option("address", "SOCKET", "unix socket to serve on")
                .option("daemon-uid", "UID", "who owns the socket and may connect, besides root and this user")
                .option("metrics-address", "HOST:PORT", "serve /v1/metrics there; default: no metrics");
    }

    /**
     * What the command line says.
     *
     * @throws UsageException if there is no {@code --address}
     * @throws InvalidArgumentException if a value is not one
     */
    public static ServeOptions of(Parsed flags) throws UsageException, IOException {
        ServeOptions options = of(SocketPath.parse(flags.require("address")));
        return new ServeOptions(
                flags.value("daemon-uid")
                        .map(uid -> ownedBy(uid(uid), options.socket()))
                        .orElse(options.socket()),
                flags.value("metrics-address"),
                options.environment());
    }

    private static SocketFile ownedBy(int uid, SocketFile file) {
        Set<Integer> peers = new HashSet<>(file.peers());
        peers.add(uid);
        return new SocketFile(file.path(), file.mode(), uid, file.gid(), peers);
    }

    private static int uid(String text) {
        try {
            int uid = Integer.parseInt(text);
            if (uid >= 0) {
                return uid;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new InvalidArgumentException("--daemon-uid %s: must be a number, as id -u prints it".formatted(text));
    }
}
