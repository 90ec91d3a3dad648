package dev.longshore.daemon.transfer;

import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.util.concurrent.ExecutionException;

/** What work on several threads failed with, as the caller is to see it. */
final class Failures {

    private Failures() {}

    /** The reason why a task failed. */
    static RuntimeException of(ExecutionException failure) {
        Throwable cause = failure.getCause();
        return of(cause == null ? failure : cause);
    }

    static RuntimeException of(Throwable cause) {
        return switch (cause) {
            case ContainerdException known -> known;
            case InterruptedException _ -> new CanceledException("the transfer was given up", cause);
            case IOException io ->
                new UnavailableException("the image could not be moved to its end: " + io.getMessage(), io);
            case RuntimeException other -> other;
            default -> new InternalException(String.valueOf(cause.getMessage()), cause);
        };
    }
}
