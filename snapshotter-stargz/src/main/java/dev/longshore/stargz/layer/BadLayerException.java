package dev.longshore.stargz.layer;

import java.io.IOException;

/** A layer is not what its table of contents promised; to ask again does not help. */
final class BadLayerException extends IOException {

    BadLayerException(String message, Throwable cause) {
        super(message, cause);
    }

    BadLayerException(String message) {
        super(message);
    }
}
