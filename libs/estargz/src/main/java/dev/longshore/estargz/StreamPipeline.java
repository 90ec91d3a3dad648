package dev.longshore.estargz;

import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Compresses stretches of bytes into streams of their own on several threads, and writes them in their order. What waits is
 * bounded by the number of threads, each with a stretch and its stream. For one thread.
 */
final class StreamPipeline implements AutoCloseable {

    /** Small stretches go to a thread together, so many bytes of them. */
    private static final int BATCH_BYTES = 256 << 10;

    private final OutputStream out;
    private final Supplier<StreamCompressor> compressors;
    private final ExecutorService threads;
    private final int maxWaiting;
    private final ArrayDeque<Future<List<byte[]>>> waiting = new ArrayDeque<>();
    private final List<Long> offsets = new ArrayList<>();
    private List<byte[]> batch = new ArrayList<>();
    private int batchBytes;
    private long written;

    StreamPipeline(OutputStream out, Supplier<StreamCompressor> compressors, int threads) {
        this.out = out;
        this.compressors = compressors;
        this.threads = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().name("compress-", 0).factory());
        this.maxWaiting = 2 * threads;
    }

    /** The stream that {@code bytes} are to be is the next one. */
    void add(byte[] bytes) throws IOException {
        batch.add(bytes);
        batchBytes += bytes.length;
        if (batchBytes >= BATCH_BYTES) {
            submit();
        }
    }

    private void submit() throws IOException {
        if (batch.isEmpty()) {
            return;
        }
        List<byte[]> stretches = batch;
        batch = new ArrayList<>();
        batchBytes = 0;
        if (waiting.size() == maxWaiting) {
            writeFirst();
        }
        waiting.add(threads.submit(() -> {
            try (StreamCompressor compressor = compressors.get()) {
                return stretches.stream()
                        .map(stretch -> compressor.compress(stretch, stretch.length))
                        .toList();
            }
        }));
    }

    private void writeFirst() throws IOException {
        try {
            for (byte[] stream : waiting.remove().get()) {
                offsets.add(written);
                out.write(stream);
                written += stream.length;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a layer was compressed", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a stretch of a layer could not be compressed", e);
        }
    }

    /** Writes all that was added. */
    void finish() throws IOException {
        submit();
        while (!waiting.isEmpty()) {
            writeFirst();
        }
    }

    /** Where in the output the stream {@code index} begins; known once it is written. */
    long offset(int index) {
        return offsets.get(index);
    }

    /** Bytes of all streams that were written. */
    long written() {
        return written;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
