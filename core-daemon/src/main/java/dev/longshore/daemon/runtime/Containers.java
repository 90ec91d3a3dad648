package dev.longshore.daemon.runtime;

import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.Optional;

/** The containers' records, as far as tasks need them. */
@FunctionalInterface
public interface Containers {

    /** @throws NotFoundException if there is none */
    Container get(NamespaceId namespace, String id);

    /**
     * @param runtime the name of its runtime
     * @param options of its runtime
     * @param spec its OCI specification
     */
    record Container(String id, String runtime, Optional<TypedValue> options, Optional<TypedValue> spec) {}
}
