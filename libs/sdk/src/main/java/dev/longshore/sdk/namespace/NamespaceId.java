package dev.longshore.sdk.namespace;

import dev.longshore.sdk.errors.InvalidArgumentException;

/** The name of a namespace: an {@linkplain Identifiers identifier}. */
public record NamespaceId(String value) {

    /** @throws InvalidArgumentException if {@code value} is no identifier */
    public NamespaceId {
        Identifiers.check("namespace", value);
    }

    @Override
    public String toString() {
        return value;
    }
}
