package dev.longshore.daemon.runtime;

import java.time.Instant;

/**
 * How a process ended.
 *
 * @param pid 0 if unknown
 * @param status its exit code, or 128 plus the signal that ended it; {@value #UNKNOWN} if nobody knows
 */
public record Exit(int pid, int status, Instant at) {

    /** What containerd tells when a shim died and could not be asked. */
    public static final int UNKNOWN = 255;
}
