package dev.longshore.registry;

import java.io.IOException;

/** A server answers a request for several ranges with what is not one of the answers that there are. */
final class RangeFormatException extends IOException {

    RangeFormatException(String message) {
        super(message);
    }
}
