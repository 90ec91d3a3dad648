package dev.longshore.sdk.errors;

/** A backend failed with something that fits no other class. */
public final class UnknownException extends ContainerdException {

    public UnknownException(String message) {
        super(message, null);
    }

    public UnknownException(String message, Throwable cause) {
        super(message, cause);
    }
}
