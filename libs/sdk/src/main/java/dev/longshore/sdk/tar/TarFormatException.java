package dev.longshore.sdk.tar;

import java.io.IOException;

/** Input that is no tar archive, is cut off, or is over a limit; the message names the offset in the archive. */
public final class TarFormatException extends IOException {

    TarFormatException(long offset, String message) {
        super("tar archive at byte %d: %s".formatted(offset, message));
    }
}
