package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.Optional;

/** Values that several services share, on the wire and off it. */
final class Types {

    private Types() {}

    static Any any(TypedValue value) {
        return Any.newBuilder()
                .setTypeUrl(value.typeUrl())
                .setValue(UnsafeByteOperations.unsafeWrap(value.value()))
                .build();
    }

    static TypedValue typed(Any any) {
        return new TypedValue(any.getTypeUrl(), any.getValue().toByteArray());
    }

    /** Empty for an Any that is unset. */
    static Optional<TypedValue> typed(boolean present, Any any) {
        return present && !any.getTypeUrl().isEmpty() ? Optional.of(typed(any)) : Optional.empty();
    }
}
