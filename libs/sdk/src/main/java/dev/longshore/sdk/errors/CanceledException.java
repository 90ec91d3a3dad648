package dev.longshore.sdk.errors;

/** The caller gave up. */
public final class CanceledException extends ContainerdException {

    public CanceledException(String message) {
        super(message, null);
    }

    public CanceledException(String message, Throwable cause) {
        super(message, cause);
    }
}
