package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.Errors;
import io.grpc.Status;

/** Errors as gRPC statuses and back; {@link ErrorClass} has the table. */
public final class StatusMapper {

    private StatusMapper() {}

    /** The status to answer for {@code error}. */
    public static Status toStatus(Throwable error) {
        ContainerdException classified = Errors.classify(error);
        ErrorClass errorClass = ErrorClass.of(classified);
        return Status.fromCodeValue(errorClass.code())
                .withDescription(errorClass.onWire(String.valueOf(classified.getMessage())))
                .withCause(classified);
    }

    /** The error class of what a server answered. */
    public static ContainerdException fromStatus(Status status, Throwable cause) {
        String description = status.getDescription();
        return ErrorClass.ofCode(status.getCode().value()).fromWire(description == null ? "" : description, cause);
    }
}
