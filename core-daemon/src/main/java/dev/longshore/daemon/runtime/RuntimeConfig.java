package dev.longshore.daemon.runtime;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the runtime is told at start.
 *
 * @param state where bundles are, e.g. {@code /run/containerd/io.containerd.runtime.v2.task}
 * @param root where bundles' work folders are, e.g. {@code /var/lib/containerd/io.containerd.runtime.v2.task}
 * @param grpcAddress the daemon's socket; shims name their own sockets after it
 * @param ttrpcAddress where shims forward events to
 * @param publishBinary what a shim may run to publish an event, as {@code <binary> publish}
 * @param path folders searched for shim binaries, in this order; usually {@code PATH}
 * @param distributionBin searched after {@code path}: the daemon's own distribution
 * @param socketDir where shims make their sockets, absolute; at most {@value #MAX_SOCKET_DIR_LENGTH} bytes, so that a
 *     hash fits behind it into a socket's name
 * @param shimEnvironment added to the environment of shims
 * @param debug whether shims are asked for their debug log
 */
public record RuntimeConfig(
        Path state,
        Path root,
        String grpcAddress,
        String ttrpcAddress,
        String publishBinary,
        List<Path> path,
        Optional<Path> distributionBin,
        Path socketDir,
        Map<String, String> shimEnvironment,
        boolean debug,
        RuntimeTimeouts timeouts) {

    /** Bytes: 108 of {@code sun_path}, less a slash, 64 digits and the terminator. */
    public static final int MAX_SOCKET_DIR_LENGTH = 42;

    public RuntimeConfig {
        path = List.copyOf(path);
        shimEnvironment = Map.copyOf(shimEnvironment);
        if (!socketDir.isAbsolute()) {
            throw new InvalidArgumentException("socket_dir \"%s\" of the shims must be absolute".formatted(socketDir));
        }
        if (socketDir.toString().length() > MAX_SOCKET_DIR_LENGTH) {
            throw new InvalidArgumentException("socket_dir \"%s\" of the shims has %d characters, the limit is %d"
                    .formatted(socketDir, socketDir.toString().length(), MAX_SOCKET_DIR_LENGTH));
        }
    }
}
