package dev.longshore.sdk.errors;

/** The time that the caller gave, or that the configuration allows, is over. */
public final class DeadlineExceededException extends ContainerdException {

    public DeadlineExceededException(String message) {
        super(message, null);
    }

    public DeadlineExceededException(String message, Throwable cause) {
        super(message, cause);
    }
}
