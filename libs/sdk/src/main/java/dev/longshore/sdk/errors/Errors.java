package dev.longshore.sdk.errors;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings whatever a call threw into one of the error classes, at the edge of a module. */
public final class Errors {

    private static final Logger log = LoggerFactory.getLogger(Errors.class);

    private Errors() {}

    /**
     * {@code error} itself if it has a class. A full disk is {@link ResourceExhaustedException}. Anything else becomes
     * {@link UnknownException} and is logged with its stack, because nobody expected it.
     */
    public static ContainerdException classify(Throwable error) {
        return switch (error) {
            case ContainerdException e -> e;
            case UncheckedIOException e when e.getCause() != null -> classify(e.getCause());
            case IOException e
            when isDiskFull(e) -> new ResourceExhaustedException(e.getMessage() + ": free some space and try again", e);
            default -> {
                log.atError().setCause(error).log("unexpected error in a call");
                yield new UnknownException(describe(error), error);
            }
        };
    }

    private static boolean isDiskFull(IOException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("No space left on device") || message.contains("Disk quota exceeded");
    }

    /** The JDK's file exceptions say the path alone; their names say what happened. */
    private static String describe(Throwable error) {
        boolean told = error instanceof IOException
                && !(error instanceof FileSystemException file && file.getReason() == null)
                && error.getMessage() != null;
        return told ? String.valueOf(error.getMessage()) : error.toString();
    }
}
