package dev.longshore.daemon.runtime;

import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.List;
import java.util.Optional;

/**
 * What a task is made of.
 *
 * @param id of its container
 * @param spec of its container
 * @param runtime the name or the program of the runtime
 * @param runtimeOptions of its container
 * @param taskOptions of the request; they replace the container's
 * @param rootfs what the shim mounts as the container's root
 * @param checkpoint the folder to restore it from
 * @param restoresRootfs whether files that were changed before the checkpoint lie beside that folder
 */
public record CreateTask(
        String id,
        Optional<TypedValue> spec,
        String runtime,
        Optional<TypedValue> runtimeOptions,
        Optional<TypedValue> taskOptions,
        List<Mount> rootfs,
        TaskIo io,
        Optional<String> checkpoint,
        boolean restoresRootfs) {

    public CreateTask {
        rootfs = List.copyOf(rootfs);
    }

    /** What the shim is told. */
    Optional<TypedValue> options() {
        return taskOptions.filter(options -> options.value().length > 0).or(() -> runtimeOptions);
    }
}
