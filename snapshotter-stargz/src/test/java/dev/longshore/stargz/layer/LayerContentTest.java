package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whoever waits for a chunk gets an answer, whatever becomes of who fetches it. The blobs are made to fail as no registry can. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LayerContentTest {

    @TempDir
    private Path folder;

    private final ExecutorService fetchers = Executors.newFixedThreadPool(2);
    private final ExecutorService readers = Executors.newCachedThreadPool();
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch answer = new CountDownLatch(1);

    @SuppressWarnings("NullAway.Init")
    private LayerIndex index;

    @BeforeEach
    void build() throws IOException {
        index = new Toc().file("a", 1000).file("b", 1000).buildShort(folder.resolve("index"));
    }

    @AfterEach
    void close() {
        answer.countDown();
        readers.shutdownNow();
        fetchers.shutdownNow();
        index.close();
    }

    /** A blob that gives no bytes. */
    private interface Failing extends LayerBlob {

        @Override
        default long size() {
            return Toc.DATA_END;
        }

        @Override
        default void close() {}
    }

    private LayerContent content(Failing blob) throws IOException {
        ChunkTable table = new ChunkTable(index, BigFiles.of(index));
        ChunkBuffers buffers = new ChunkBuffers();
        ChunkStore store = ChunkStore.open(
                folder.resolve("data"), folder.resolve("present"), table, new ChunkCache(1L << 30), buffers);
        return new LayerContent(
                index, table, store, blob, Compression.GZIP, new Traffic(), fetchers, new Semaphore(64), buffers);
    }

    private int inode(String name) {
        return index.lookup(LayerIndex.ROOT, name.getBytes(StandardCharsets.UTF_8));
    }

    private void read(LayerContent content, CompletableFuture<Void> gone) throws IOException {
        content.read(inode("a"), 0, ByteBuffer.allocate(100), gone);
    }

    private void read(LayerContent content) throws IOException {
        read(content, new CompletableFuture<>());
    }

    @Test
    void noThreadToFetchWithIsAnErrorEachTime() throws IOException {
        fetchers.shutdown();
        try (LayerContent content = content((_, _, _) -> {
            throw new AssertionError("nobody fetches");
        })) {
            assertThatThrownBy(() -> read(content)).isInstanceOf(RejectedExecutionException.class);
            assertThatThrownBy(() -> read(content)).isInstanceOf(RejectedExecutionException.class);
        }
    }

    @Test
    void wantOfMemoryWhileFetchingIsAnErrorForWhoReads() throws IOException {
        try (LayerContent content = content((_, _, _) -> {
            throw new OutOfMemoryError("as much as there is");
        })) {
            assertThatThrownBy(() -> read(content))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("as much as there is");
        }
    }

    /** Waits, once it is asked, until it is let go. */
    private void silent(long begin, long end, LayerBlob.Part part) throws IOException {
        asked.countDown();
        try {
            answer.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IOException("%d to %d cannot be had for %s".formatted(begin, end, part));
    }

    @Test
    void aReaderWhoGoesNeedNotWaitForTheRegistry() throws Exception {
        try (LayerContent content = content(this::silent)) {
            CompletableFuture<Void> gone = new CompletableFuture<>();
            Future<?> reader = readers.submit(() -> {
                read(content, gone);
                return null;
            });
            asked.await();
            gone.complete(null);
            assertThatThrownBy(() -> reader.get(10, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(InterruptedIOException.class);
            assertThat(answer.getCount()).isOne();
        }
    }

    @Test
    void settlingWaitsForWhatOthersFetch() throws Exception {
        try (LayerContent content = content(this::silent)) {
            Future<?> reader = readers.submit(() -> {
                read(content);
                return null;
            });
            asked.await();
            Future<?> settled = readers.submit(() -> {
                content.settle();
                return null;
            });
            assertThatThrownBy(() -> settled.get(200, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
            answer.countDown();
            settled.get(10, TimeUnit.SECONDS);
            assertThatThrownBy(() -> reader.get(10, TimeUnit.SECONDS)).hasMessageContaining("cannot be had");
        }
    }
}
