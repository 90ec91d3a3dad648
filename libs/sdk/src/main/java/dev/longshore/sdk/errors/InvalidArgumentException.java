package dev.longshore.sdk.errors;

/** The request is wrong whatever the state of the system: a bad key, digest, filter, mask or option. */
public final class InvalidArgumentException extends ContainerdException {

    public InvalidArgumentException(String message) {
        super(message, null);
    }

    public InvalidArgumentException(String message, Throwable cause) {
        super(message, cause);
    }
}
