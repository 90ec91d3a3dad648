package dev.longshore.sdk.errors;

/** This part does not have the operation at all. Callers may try another one. */
public final class UnimplementedException extends ContainerdException {

    public UnimplementedException(String message) {
        super(message, null);
    }

    public UnimplementedException(String message, Throwable cause) {
        super(message, cause);
    }
}
