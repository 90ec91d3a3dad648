package dev.longshore.sdk.compress;

import java.io.IOException;

/** Compressed input that is damaged, is cut off, or wants more memory than it gets. */
public final class CompressionException extends IOException {

    CompressionException(String message) {
        super(message);
    }

    CompressionException(String message, Throwable cause) {
        super(message, cause);
    }
}
