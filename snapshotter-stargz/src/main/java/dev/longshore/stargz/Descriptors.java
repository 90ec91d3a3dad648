package dev.longshore.stargz;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The descriptors that this program may have. A layer that is mounted takes some for as long as it is; when none is left, not even a
 * layer could be taken away, so that some are left for all else.
 */
final class Descriptors {

    /** Calls, connections to registries, and what is opened for a moment. */
    private static final int RESERVE = 64;

    private static final String LIMIT = "Max open files";

    private Descriptors() {}

    /** Why no further layer is to be mounted; empty if there are enough. */
    static Optional<String> shortage() throws IOException {
        long limit = limit();
        long open = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path _ : all) {
                open++;
            }
        }
        return open <= limit - RESERVE
                ? Optional.empty()
                : Optional.of(
                        "%d of %d descriptors are in use, and every lazy layer takes some: raise the limit of open files (LimitNOFILE of the unit)"
                                .formatted(open, limit));
    }

    /** The soft one, see proc_pid_limits(5): somebody may change it while this program runs. */
    private static long limit() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
            if (line.startsWith(LIMIT)) {
                String soft = line.substring(LIMIT.length()).strip().split("\\s+", 2)[0];
                return soft.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(soft);
            }
        }
        return Long.MAX_VALUE;
    }
}
