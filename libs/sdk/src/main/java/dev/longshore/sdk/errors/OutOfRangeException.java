package dev.longshore.sdk.errors;

/** An offset or size lies outside of what exists. */
public final class OutOfRangeException extends ContainerdException {

    public OutOfRangeException(String message) {
        super(message, null);
    }

    public OutOfRangeException(String message, Throwable cause) {
        super(message, cause);
    }
}
