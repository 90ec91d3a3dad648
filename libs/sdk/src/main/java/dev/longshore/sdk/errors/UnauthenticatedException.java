package dev.longshore.sdk.errors;

/** The caller did not prove who it is. */
public final class UnauthenticatedException extends ContainerdException {

    public UnauthenticatedException(String message) {
        super(message, null);
    }

    public UnauthenticatedException(String message, Throwable cause) {
        super(message, cause);
    }
}
