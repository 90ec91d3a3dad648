package dev.longshore.sdk.errors;

/** Stored data is damaged or gone and cannot be had back. */
public final class DataLossException extends ContainerdException {

    public DataLossException(String message) {
        super(message, null);
    }

    public DataLossException(String message, Throwable cause) {
        super(message, cause);
    }
}
