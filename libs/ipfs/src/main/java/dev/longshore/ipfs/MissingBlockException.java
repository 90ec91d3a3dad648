package dev.longshore.ipfs;

import java.io.IOException;

/** A source says that it does not have a block. Another source may have it. */
public final class MissingBlockException extends IOException {

    public MissingBlockException(String message) {
        super(message);
    }
}
