package dev.longshore.sdk.errors;

/** What the request would make exists already. */
public final class AlreadyExistsException extends ContainerdException {

    public AlreadyExistsException(String message) {
        super(message, null);
    }

    public AlreadyExistsException(String message, Throwable cause) {
        super(message, cause);
    }
}
