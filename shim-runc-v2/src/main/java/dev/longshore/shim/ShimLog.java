package dev.longshore.shim;

import java.time.Instant;

/** Lines on standard error, which the launcher has pointed at a file beside the socket. No logging library is loaded for it. */
final class ShimLog {

    private ShimLog() {}

    static void warn(String message) {
        System.err.println(Instant.now() + " WARN " + message);
    }
}
