package dev.longshore.daemon.runtime;

import java.time.Instant;
import java.util.Optional;

/**
 * A process as its shim tells it.
 *
 * @param id of the exec, or of the container for its first process
 * @param exitStatus as {@link Exit#status}; 0 until it has stopped
 */
public record ProcessState(String id, int pid, Status status, TaskIo io, int exitStatus, Optional<Instant> exitedAt) {

    /** What a process does. */
    public enum Status {
        /** The shim did not say. */
        UNKNOWN,
        CREATED,
        RUNNING,
        STOPPED,
        PAUSED,
        PAUSING
    }

    /** Of a process whose shim does not answer. */
    static ProcessState unknown(String id, int pid) {
        return new ProcessState(id, pid, Status.UNKNOWN, new TaskIo("", "", "", false), 0, Optional.empty());
    }
}
