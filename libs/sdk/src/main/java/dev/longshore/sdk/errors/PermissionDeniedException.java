package dev.longshore.sdk.errors;

/** The caller is known and may not do this. */
public final class PermissionDeniedException extends ContainerdException {

    public PermissionDeniedException(String message) {
        super(message, null);
    }

    public PermissionDeniedException(String message, Throwable cause) {
        super(message, cause);
    }
}
