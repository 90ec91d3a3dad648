package dev.longshore.sdk.errors;

/** The system is not in the state that the request needs; doing something else first would make it work. */
public final class FailedPreconditionException extends ContainerdException {

    public FailedPreconditionException(String message) {
        super(message, null);
    }

    public FailedPreconditionException(String message, Throwable cause) {
        super(message, cause);
    }
}
