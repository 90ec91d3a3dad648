package dev.longshore.sdk.errors;

import java.util.function.BiFunction;

/**
 * The error classes with what stands for them on the wire: the code, the same for gRPC and ttrpc, and the words that
 * containerd's errdefs puts behind a message and its readers cut off again.
 *
 * @see <a href="https://github.com/containerd/errdefs/tree/main/pkg/errgrpc">errgrpc</a>
 */
public enum ErrorClass {
    CANCELED(1, "context canceled", CanceledException::new),
    UNKNOWN(2, "unknown", UnknownException::new),
    INVALID_ARGUMENT(3, "invalid argument", InvalidArgumentException::new),
    DEADLINE_EXCEEDED(4, "context deadline exceeded", DeadlineExceededException::new),
    NOT_FOUND(5, "not found", NotFoundException::new),
    ALREADY_EXISTS(6, "already exists", AlreadyExistsException::new),
    PERMISSION_DENIED(7, "permission denied", PermissionDeniedException::new),
    RESOURCE_EXHAUSTED(8, "resource exhausted", ResourceExhaustedException::new),
    FAILED_PRECONDITION(9, "failed precondition", FailedPreconditionException::new),
    ABORTED(10, "aborted", AbortedException::new),
    OUT_OF_RANGE(11, "out of range", OutOfRangeException::new),
    UNIMPLEMENTED(12, "not implemented", UnimplementedException::new),
    INTERNAL(13, "internal", InternalException::new),
    UNAVAILABLE(14, "unavailable", UnavailableException::new),
    DATA_LOSS(15, "data loss", DataLossException::new),
    UNAUTHENTICATED(16, "unauthenticated", UnauthenticatedException::new);

    /** Characters of a message on the wire; gRPC carries it in a trailer of limited size. */
    private static final int MAX_MESSAGE = 4096;

    private final int code;
    private final String words;

    @SuppressWarnings("ImmutableEnumChecker") // constructors, which keep nothing
    private final BiFunction<String, Throwable, ContainerdException> constructor;

    ErrorClass(int code, String words, BiFunction<String, Throwable, ContainerdException> constructor) {
        this.code = code;
        this.words = words;
        this.constructor = constructor;
    }

    /** The class of {@code error}. */
    public static ErrorClass of(ContainerdException error) {
        return switch (error) {
            case CanceledException e -> CANCELED;
            case UnknownException e -> UNKNOWN;
            case InvalidArgumentException e -> INVALID_ARGUMENT;
            case DeadlineExceededException e -> DEADLINE_EXCEEDED;
            case NotFoundException e -> NOT_FOUND;
            case AlreadyExistsException e -> ALREADY_EXISTS;
            case PermissionDeniedException e -> PERMISSION_DENIED;
            case ResourceExhaustedException e -> RESOURCE_EXHAUSTED;
            case FailedPreconditionException e -> FAILED_PRECONDITION;
            case AbortedException e -> ABORTED;
            case OutOfRangeException e -> OUT_OF_RANGE;
            case UnimplementedException e -> UNIMPLEMENTED;
            case InternalException e -> INTERNAL;
            case UnavailableException e -> UNAVAILABLE;
            case DataLossException e -> DATA_LOSS;
            case UnauthenticatedException e -> UNAUTHENTICATED;
        };
    }

    /** The class of a code on the wire; a code that nobody defined is {@link #UNKNOWN}. */
    public static ErrorClass ofCode(int code) {
        for (ErrorClass errorClass : values()) {
            if (errorClass.code == code) {
                return errorClass;
            }
        }
        return UNKNOWN;
    }

    /** The number on the wire, of google.rpc.Code. */
    public int code() {
        return code;
    }

    /** The message as it goes out: cut to a bearable length, with the name of the class behind it. */
    public String onWire(String message) {
        return (message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE) + "...") + ": " + words;
    }

    /** The error that came in with {@code message}, which may or may not have the name of the class behind it. */
    public ContainerdException fromWire(String message, Throwable cause) {
        String suffix = ": " + words;
        if (message.isEmpty()) {
            return constructor.apply(words, cause);
        }
        return constructor.apply(
                message.endsWith(suffix) ? message.substring(0, message.length() - suffix.length()) : message, cause);
    }
}
