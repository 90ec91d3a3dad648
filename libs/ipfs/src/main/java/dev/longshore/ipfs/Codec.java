package dev.longshore.ipfs;

import dev.longshore.sdk.errors.InvalidArgumentException;

/**
 * How a block is to be read.
 *
 * @see <a href="https://github.com/multiformats/multicodec/blob/master/table.csv">the table of codes</a>
 */
public enum Codec {

    /** Bytes of a file. */
    RAW(0x55),

    /** A node with links. */
    DAG_PB(0x70);

    private final int code;

    Codec(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }

    static Codec of(long code) {
        for (Codec codec : values()) {
            if (codec.code == code) {
                return codec;
            }
        }
        throw new InvalidArgumentException(
                "codec 0x%x of a CID is not supported: files are made of raw (0x55) and dag-pb (0x70)".formatted(code));
    }
}
