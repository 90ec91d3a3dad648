package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.ListenSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The sockets that systemd listens on for this process; see sd_listen_fds(3). They outlive the process: who connects while it
 * restarts waits, and is not refused.
 */
public final class InheritedSockets {

    /** SD_LISTEN_FDS_START. */
    private static final int FIRST_DESCRIPTOR = 3;

    /** More than any unit has. */
    private static final int MAX_DESCRIPTORS = 64;

    private InheritedSockets() {}

    /**
     * The one that is bound to {@code address}; empty if this process has been left no sockets at all.
     *
     * @param environment of the process: {@code LISTEN_FDS} and {@code LISTEN_PID}
     * @throws FailedPreconditionException if it has been left others, but not that one
     */
    public static Optional<ListenSocket> find(Map<String, String> environment, Path address) throws IOException {
        // What is meant for the parent of this process is inherited with its environment.
        if (!String.valueOf(ProcessHandle.current().pid()).equals(environment.get("LISTEN_PID"))) {
            return Optional.empty();
        }
        int count = count(environment.getOrDefault("LISTEN_FDS", "0"));
        List<String> paths = new ArrayList<>();
        for (int descriptor = FIRST_DESCRIPTOR; descriptor < FIRST_DESCRIPTOR + count; descriptor++) {
            ListenSocket socket;
            try {
                socket = ListenSocket.takeOver(descriptor);
            } catch (IllegalArgumentException e) {
                throw new FailedPreconditionException(
                        "systemd handed over something else: %s: use ListenStream=%s"
                                .formatted(e.getMessage(), address),
                        e);
            }
            if (isSame(socket.path(), address)) {
                return Optional.of(socket);
            }
            paths.add(socket.path());
        }
        if (paths.isEmpty()) {
            return Optional.empty();
        }
        throw new FailedPreconditionException(
                "systemd handed over the sockets %s, and none is %s: make the address and ListenStream= the same"
                        .formatted(paths, address));
    }

    /** The folder may be named through a link, as /var/run is. */
    private static boolean isSame(String path, Path address) throws IOException {
        return path.startsWith("/")
                && (path.equals(address.toString())
                        || (Files.exists(address)
                                && Files.exists(Path.of(path))
                                && Files.isSameFile(Path.of(path), address)));
    }

    private static int count(String descriptors) {
        try {
            int count = Integer.parseInt(descriptors);
            if (count >= 0 && count <= MAX_DESCRIPTORS) {
                return count;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new FailedPreconditionException(
                "LISTEN_FDS=%s is no number of sockets: at most %d are taken".formatted(descriptors, MAX_DESCRIPTORS));
    }
}
