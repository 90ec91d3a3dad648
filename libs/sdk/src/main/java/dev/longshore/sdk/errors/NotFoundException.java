package dev.longshore.sdk.errors;

/** What the request names does not exist. */
public final class NotFoundException extends ContainerdException {

    public NotFoundException(String message) {
        super(message, null);
    }

    public NotFoundException(String message, Throwable cause) {
        super(message, cause);
    }
}
