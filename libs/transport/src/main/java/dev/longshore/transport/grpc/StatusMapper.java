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
        String description = status.getDescription() == null ? "" : status.getDescription();
        return ErrorClass.ofCode(status.getCode().value()).fromWire(description + reason(status), cause);
    }

    /** What gRPC found on the way, which it leaves out of its own words: "io exception", "ssl exception". */
    private static String reason(Status status) {
        Throwable reason = status.getCause();
        if (status.getCode() != Status.Code.UNAVAILABLE || reason == null) {
            return "";
        }
        while (reason.getCause() != null) {
            reason = reason.getCause();
        }
        return ": " + (reason.getMessage() == null ? reason.getClass().getSimpleName() : reason.getMessage());
    }
}
