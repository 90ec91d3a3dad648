package dev.longshore.ipfs;

import java.io.IOException;

/** A block that is what its CID says, but no good part of a file: damaged, forged, or over a limit. It is so from every source. */
public final class DagFormatException extends IOException {

    DagFormatException(String message) {
        super(message);
    }

    DagFormatException(String message, Throwable cause) {
        super(message, cause);
    }
}
