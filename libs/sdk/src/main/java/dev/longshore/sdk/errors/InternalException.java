package dev.longshore.sdk.errors;

/** A promise between our own parts is broken. Never used for bad input or a backend that is away. */
public final class InternalException extends ContainerdException {

    public InternalException(String message) {
        super(message, null);
    }

    public InternalException(String message, Throwable cause) {
        super(message, cause);
    }
}
