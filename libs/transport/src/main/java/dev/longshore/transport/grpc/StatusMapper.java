package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.OutOfRangeException;
import dev.longshore.sdk.errors.PermissionDeniedException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.errors.UnknownException;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one place where error classes become gRPC codes and codes become error classes.
 *
 * <p>Go's containerd tells classes apart by code, and prints the message followed by the name of the class; its clients cut
 * that name off again. So a message leaves here with the name behind it and comes in without.
 *
 * @see <a href="https://github.com/containerd/errdefs/tree/main/pkg/errgrpc">errgrpc</a>
 */
public final class StatusMapper {

    private static final Logger log = LoggerFactory.getLogger(StatusMapper.class);

    /** Characters of a message on the wire; HTTP/2 carries it in a trailer of limited size. */
    private static final int MAX_MESSAGE = 4096;

    private StatusMapper() {}

    /**
     * The status to answer for {@code error}. What is no {@link ContainerdException} is logged, because it
     * says that one of our own promises is broken.
     */
    public static Status toStatus(Throwable error) {
        return switch (error) {
            case ContainerdException e -> classified(e);
            case UncheckedIOException e -> toStatus(classify(new IOException(e.getMessage(), e)));
            case IOException e -> toStatus(classify(e));
            default -> {
                log.atError().setCause(error).log("unexpected error in a call");
                yield Status.UNKNOWN
                        .withDescription(limited(error.toString()) + ": unknown")
                        .withCause(error);
            }
        };
    }

    private static ContainerdException classify(IOException e) {
        String message = e instanceof FileSystemException file && file.getReason() == null
                ? e.getClass().getSimpleName() + ": " + e.getMessage()
                : String.valueOf(e.getMessage());
        if (message.contains("No space left on device") || message.contains("Disk quota exceeded")) {
            return new ResourceExhaustedException(message + ": free some space and try again", e);
        }
        log.atWarn().setCause(e).log("input or output failed in a call");
        return new UnknownException(message, e);
    }

    private static Status classified(ContainerdException error) {
        Status status = Status.fromCode(code(error));
        String message = String.valueOf(error.getMessage());
        return status.withDescription(limited(message) + ": " + text(status.getCode()))
                .withCause(error);
    }

    private static String limited(String message) {
        return message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE) + "...";
    }

    private static Status.Code code(ContainerdException error) {
        return switch (error) {
            case InvalidArgumentException e -> Status.Code.INVALID_ARGUMENT;
            case NotFoundException e -> Status.Code.NOT_FOUND;
            case AlreadyExistsException e -> Status.Code.ALREADY_EXISTS;
            case PermissionDeniedException e -> Status.Code.PERMISSION_DENIED;
            case UnauthenticatedException e -> Status.Code.UNAUTHENTICATED;
            case ResourceExhaustedException e -> Status.Code.RESOURCE_EXHAUSTED;
            case FailedPreconditionException e -> Status.Code.FAILED_PRECONDITION;
            case AbortedException e -> Status.Code.ABORTED;
            case OutOfRangeException e -> Status.Code.OUT_OF_RANGE;
            case UnimplementedException e -> Status.Code.UNIMPLEMENTED;
            case InternalException e -> Status.Code.INTERNAL;
            case UnavailableException e -> Status.Code.UNAVAILABLE;
            case DataLossException e -> Status.Code.DATA_LOSS;
            case DeadlineExceededException e -> Status.Code.DEADLINE_EXCEEDED;
            case CanceledException e -> Status.Code.CANCELLED;
            case UnknownException e -> Status.Code.UNKNOWN;
        };
    }

    /** The error class of what a server answered. */
    public static ContainerdException fromStatus(Status status, Throwable cause) {
        Status.Code code = status.getCode();
        String description = status.getDescription() == null ? "" : status.getDescription();
        String suffix = ": " + text(code);
        String message = description.endsWith(suffix)
                ? description.substring(0, description.length() - suffix.length())
                : description.isEmpty() ? text(code) : description;
        return switch (code) {
            case INVALID_ARGUMENT -> new InvalidArgumentException(message, cause);
            case NOT_FOUND -> new NotFoundException(message, cause);
            case ALREADY_EXISTS -> new AlreadyExistsException(message, cause);
            case PERMISSION_DENIED -> new PermissionDeniedException(message, cause);
            case UNAUTHENTICATED -> new UnauthenticatedException(message, cause);
            case RESOURCE_EXHAUSTED -> new ResourceExhaustedException(message, cause);
            case FAILED_PRECONDITION -> new FailedPreconditionException(message, cause);
            case ABORTED -> new AbortedException(message, cause);
            case OUT_OF_RANGE -> new OutOfRangeException(message, cause);
            case UNIMPLEMENTED -> new UnimplementedException(message, cause);
            case INTERNAL -> new InternalException(message, cause);
            case UNAVAILABLE -> new UnavailableException(message, cause);
            case DATA_LOSS -> new DataLossException(message, cause);
            case DEADLINE_EXCEEDED -> new DeadlineExceededException(message, cause);
            case CANCELLED -> new CanceledException(message, cause);
            case UNKNOWN, OK -> new UnknownException(message, cause);
        };
    }

    /** The name of the class in containerd's errdefs. */
    private static String text(Status.Code code) {
        return switch (code) {
            case INVALID_ARGUMENT -> "invalid argument";
            case NOT_FOUND -> "not found";
            case ALREADY_EXISTS -> "already exists";
            case PERMISSION_DENIED -> "permission denied";
            case UNAUTHENTICATED -> "unauthenticated";
            case RESOURCE_EXHAUSTED -> "resource exhausted";
            case FAILED_PRECONDITION -> "failed precondition";
            case ABORTED -> "aborted";
            case OUT_OF_RANGE -> "out of range";
            case UNIMPLEMENTED -> "not implemented";
            case INTERNAL -> "internal";
            case UNAVAILABLE -> "unavailable";
            case DATA_LOSS -> "data loss";
            case DEADLINE_EXCEEDED -> "context deadline exceeded";
            case CANCELLED -> "context canceled";
            case UNKNOWN, OK -> "unknown";
        };
    }
}
