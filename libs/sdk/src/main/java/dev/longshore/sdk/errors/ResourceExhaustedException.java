package dev.longshore.sdk.errors;

/** A limit is reached: message size, queue, disk space, quota. */
public final class ResourceExhaustedException extends ContainerdException {

    public ResourceExhaustedException(String message) {
        super(message, null);
    }

    public ResourceExhaustedException(String message, Throwable cause) {
        super(message, cause);
    }
}
