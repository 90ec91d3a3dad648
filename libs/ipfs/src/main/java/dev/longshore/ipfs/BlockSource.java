package dev.longshore.ipfs;

import dev.longshore.sdk.context.Deadline;
import java.io.IOException;

/** Gives blocks. Nobody is believed: the caller verifies, with {@link Cid#verify}. Safe for use by many threads. */
@FunctionalInterface
public interface BlockSource {

    /** Bytes of the largest block that IPFS nodes exchange. */
    int MAX_BLOCK = 2 << 20;

    /**
     * The block, at most {@link #MAX_BLOCK} bytes: a source stops reading behind that.
     *
     * @throws MissingBlockException if the source does not have it
     * @throws IOException if the source cannot be asked, or not within {@code deadline}; it names the source and the block
     */
    byte[] get(Cid cid, Deadline deadline) throws IOException;

    /** This source, whose blocks are verified, and blocks that are in their own names without asking it. */
    default BlockSource verified(String name) {
        return (cid, deadline) -> {
            var inlined = cid.inlined();
            return inlined.isPresent() ? inlined.get() : cid.verify(get(cid, deadline), name);
        };
    }

    /** This source, then {@code other} for what this one does not have. */
    default BlockSource or(BlockSource other) {
        return (cid, deadline) -> {
            try {
                return get(cid, deadline);
            } catch (MissingBlockException e) {
                return other.get(cid, deadline);
            }
        };
    }
}
