package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Pack.Part;
import dev.longshore.ipfs.BlockStore;
import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Copies of blobs in an IPFS node, pinned there, so that others have them from it. A blob is in the node before it is here, and is not
 * the node's any more before it is gone here. Safe for use by many threads.
 */
final class NodeCopies implements AutoCloseable {

    /** Blocks on their way to the node, of one blob. */
    private static final int WINDOW = 8;

    /** For a node to read what is to be pinned from its disk. */
    private static final Duration PIN_TIMEOUT = Duration.ofMinutes(5);

    private final BlockStore node;
    private final Duration blockTimeout;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** @param node names itself in its errors; closed by who opened it */
    NodeCopies(BlockStore node, Duration blockTimeout) {
        this.node = node;
        this.blockTimeout = blockTimeout;
    }

    /**
     * Brings the blocks that the node lacks, and pins them.
     *
     * @param channel of a file that has all of {@code blocks}
     * @throws UnavailableException if the node cannot take them; those that it has by then are not pinned
     */
    void keep(Digest digest, Cid root, FileChannel channel, List<Part> blocks) {
        Queue<Future<Cid>> underWay = new ArrayDeque<>();
        try {
            for (Part block : blocks) {
                if (underWay.size() == WINDOW) {
                    Cid _ = underWay.remove().get();
                }
                underWay.add(threads.submit(() -> put(block, channel)));
            }
            while (!underWay.isEmpty()) {
                Cid _ = underWay.remove().get();
            }
            node.pin(root, Deadline.after(PIN_TIMEOUT));
        } catch (ExecutionException e) {
            throw failed("kept", digest, e.getCause() == null ? e : e.getCause());
        } catch (IOException e) {
            throw failed("kept", digest, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("kept", digest, new InterruptedIOException("interrupted"));
        } finally {
            underWay.forEach(put -> put.cancel(true));
        }
    }

    private Cid put(Part block, FileChannel channel) throws IOException {
        Deadline deadline = Deadline.after(blockTimeout);
        if (block.cid().inlined().isEmpty() && !node.has(block.cid(), deadline)) {
            node.put(
                    block.cid(),
                    Pack.readAt(channel, block.offset(), block.length()).array(),
                    deadline);
        }
        return block.cid();
    }

    /** @throws UnavailableException if the node cannot be told */
    void release(Digest digest, Cid root) {
        try {
            node.unpin(root, Deadline.after(PIN_TIMEOUT));
        } catch (IOException e) {
            throw failed("given up", digest, e);
        }
    }

    private static UnavailableException failed(String what, Digest digest, Throwable cause) {
        return new UnavailableException(
                "content %s cannot be %s in IPFS: %s".formatted(digest, what, cause.getMessage()), cause);
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
