package dev.longshore.sdk.errors;

/** A part that the request needs does not answer now. The same request may succeed later. */
public final class UnavailableException extends ContainerdException {

    public UnavailableException(String message) {
        super(message, null);
    }

    public UnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
