package dev.longshore.ipfs;

import dev.longshore.sdk.errors.InvalidArgumentException;

/**
 * How the hash in a CID was made of its block.
 *
 * @see <a href="https://github.com/multiformats/multicodec/blob/master/table.csv">the table of codes</a>
 */
public enum HashFunction {

    /** The block itself, at most {@link Cid#MAX_IDENTITY} bytes. */
    IDENTITY(0x00, "identity"),

    SHA2_256(0x12, "sha256"),

    SHA2_512(0x13, "sha512");

    private final int code;
    private final String algorithm;

    HashFunction(int code, String algorithm) {
        this.code = code;
        this.algorithm = algorithm;
    }

    int code() {
        return code;
    }

    /** As {@code sdk.digest} calls it. */
    String algorithm() {
        return algorithm;
    }

    /** Whether a hash of it can have {@code length} bytes: a short one is no proof. */
    boolean takes(int length) {
        return switch (this) {
            case IDENTITY -> length <= Cid.MAX_IDENTITY;
            case SHA2_256 -> length == 32;
            case SHA2_512 -> length == 64;
        };
    }

    static HashFunction of(long code) {
        for (HashFunction function : values()) {
            if (function.code == code) {
                return function;
            }
        }
        throw new InvalidArgumentException(
                "hash function 0x%x of a CID is not supported: use sha2-256 (0x12), sha2-512 (0x13) or identity (0x00)"
                        .formatted(code));
    }
}
