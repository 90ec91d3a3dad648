package dev.longshore.estargz;

import java.io.IOException;

/** A layer that is damaged, forged, or over a limit. Reading it again from the same bytes ends the same. */
public final class LayerFormatException extends IOException {

    LayerFormatException(String message) {
        super(message);
    }

    LayerFormatException(String message, Throwable cause) {
        super(message, cause);
    }
}
