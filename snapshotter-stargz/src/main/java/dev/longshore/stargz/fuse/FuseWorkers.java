package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.NativeBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The threads that wait for bytes from elsewhere, of all mounts together: so many at a time, others in a queue; when that is full, a
 * mount's own threads wait.
 */
public final class FuseWorkers implements AutoCloseable {

    private static final int QUEUE = 4096;
    private static final long IDLE_SECONDS = 10;

    /** Buffers for large answers that are used again. */
    private static final int KEPT = 4;

    private final ThreadPoolExecutor pool;
    private final ArrayBlockingQueue<NativeBuffer> buffers = new ArrayBlockingQueue<>(KEPT);

    /** @param threads reads at a time; each has up to 1 MiB outside of the heap */
    public FuseWorkers(int threads) {
        pool = new ThreadPoolExecutor(
                threads,
                threads,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(QUEUE),
                Thread.ofVirtual().name("fuse-read-", 0).factory(),
                new ThreadPoolExecutor.CallerRunsPolicy());
        pool.allowCoreThreadTimeOut(true);
    }

    void execute(Runnable read) {
        pool.execute(read);
    }

    /** Memory for an answer of any size, to be {@link #giveBack given back}: fresh memory of 1 MiB costs as much as reading into it. */
    NativeBuffer takeBuffer() {
        NativeBuffer kept = buffers.poll();
        return kept == null ? new NativeBuffer(FuseSession.LARGEST_ANSWER) : kept;
    }

    void giveBack(NativeBuffer buffer) {
        if (!buffers.offer(buffer)) {
            buffer.close();
        }
    }

    /** Lets what has begun go on, until the process ends. To be called when mounts are {@link FuseMount#detach detached} or gone. */
    @Override
    public void close() {
        pool.shutdown();
    }
}
