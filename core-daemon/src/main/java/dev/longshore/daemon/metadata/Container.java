package dev.longshore.daemon.metadata;

import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * What is to be run. A running one is a task.
 *
 * @param image name of an image; empty for none
 * @param runtime e.g. {@code io.containerd.runc.v2}
 * @param options for the runtime
 * @param spec the OCI runtime specification, byte for byte as the client sent it
 * @param snapshotter where {@code snapshotKey} is; empty for none
 * @param sandbox id of the sandbox it belongs to; empty for none
 */
public record Container(
        String id,
        String image,
        String runtime,
        Optional<TypedValue> options,
        Optional<TypedValue> spec,
        String snapshotter,
        String snapshotKey,
        String sandbox,
        Map<String, String> labels,
        Map<String, TypedValue> extensions,
        Instant created,
        Instant updated) {

    public Container {
        labels = Map.copyOf(labels);
        extensions = Map.copyOf(extensions);
    }
}
