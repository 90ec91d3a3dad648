package dev.longshore.daemon.runtime;

import dev.longshore.sdk.namespace.Identifiers;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.Optional;

/**
 * A process to be added to a task.
 *
 * @param id among the task's processes
 * @param spec the OCI process, as JSON
 */
public record ExecProcess(String id, TaskIo io, Optional<TypedValue> spec) {

    public ExecProcess {
        Identifiers.check("exec", id);
    }
}
