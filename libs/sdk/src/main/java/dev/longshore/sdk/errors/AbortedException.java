package dev.longshore.sdk.errors;

/** The operation lost a race with another one; the caller may repeat it as a whole. */
public final class AbortedException extends ContainerdException {

    public AbortedException(String message) {
        super(message, null);
    }

    public AbortedException(String message, Throwable cause) {
        super(message, cause);
    }
}
