package dev.longshore.ipfs;

import dev.longshore.sdk.context.Deadline;
import java.io.IOException;

/** Keeps blocks for others too, as an IPFS node does. Safe for use by many threads. */
public interface BlockStore extends BlockSource {

    /** Whether the block is here, without asking other nodes. */
    boolean has(Cid cid, Deadline deadline) throws IOException;

    /** Takes a block, which its collection of garbage may remove until it is pinned. Once it returns, {@link #get} has it. */
    void put(Cid cid, byte[] block, Deadline deadline) throws IOException;

    /** Keeps {@code root} and all blocks below it, until {@link #unpin}. Durable once it returns; again is no error. */
    void pin(Cid root, Deadline deadline) throws IOException;

    /** Ends {@link #pin}; no error if there is no pin. */
    void unpin(Cid root, Deadline deadline) throws IOException;
}
