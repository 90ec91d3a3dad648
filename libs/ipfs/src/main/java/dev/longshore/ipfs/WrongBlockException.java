package dev.longshore.ipfs;

import java.io.IOException;

/** A block that is not what its CID says: whoever gave it lies or is damaged. Another source may have the right one. */
public final class WrongBlockException extends IOException {

    WrongBlockException(String message) {
        super(message);
    }
}
