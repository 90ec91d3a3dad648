package dev.longshore.daemon.runtime;

import java.time.Duration;

/**
 * How long the daemon waits for shims. The first four are containerd's, {@code [timeouts]
 * "io.containerd.timeout.<name>"}; containerd has no bound for the others.
 *
 * @param load to reach a shim again after a restart of either side; {@code shim.load}
 * @param cleanup for a shim binary's {@code delete}; {@code shim.cleanup}
 * @param shutdown for a shim to accept that it is to end; {@code shim.shutdown}
 * @param state for the state of one process; {@code task.state}
 * @param start for a shim binary's {@code start}
 * @param call for what a shim does quickly
 * @param slowCall for what may take a shim as long as the container is big: create, checkpoint
 */
public record RuntimeTimeouts(
        Duration load,
        Duration cleanup,
        Duration shutdown,
        Duration state,
        Duration start,
        Duration call,
        Duration slowCall) {

    public static final RuntimeTimeouts DEFAULTS = new RuntimeTimeouts(
            Duration.ofSeconds(5),
            Duration.ofSeconds(5),
            Duration.ofSeconds(3),
            Duration.ofSeconds(2),
            Duration.ofSeconds(30),
            Duration.ofMinutes(2),
            Duration.ofMinutes(30));
}
