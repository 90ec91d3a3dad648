package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left to the kernel must be whole for as long as it reads it; the rest of the cache must not be taken by it. */
class ChunkStoreTest {

    private static final int CHUNK = 4 << 20;
    private static final int BIG = 2 * CHUNK;

    @TempDir
    private Path folder;

    private final ChunkBuffers buffers = new ChunkBuffers();

    @SuppressWarnings("NullAway.Init")
    private LayerIndex index;

    /** Two big files of two chunks each, and a small one of one. */
    @BeforeEach
    void build() throws IOException {
        index = new Toc()
                .file("big", BIG, CHUNK)
                .file("bigger", BIG, CHUNK)
                .file("small", 1000)
                .buildShort(folder.resolve("index"));
    }

    @AfterEach
    void close() {
        index.close();
    }

    private ChunkStore open(ChunkCache cache) throws IOException {
        return ChunkStore.open(
                folder.resolve("data"),
                folder.resolve("present"),
                new ChunkTable(index, BigFiles.of(index)),
                cache,
                buffers);
    }

    private int inode(String name) {
        return index.lookup(LayerIndex.ROOT, name.getBytes(StandardCharsets.UTF_8));
    }

    /** Stores all chunks of a file: each byte is the chunk's number, and one. */
    private void store(ChunkStore store, String name) throws IOException {
        ChunkTable table = new ChunkTable(index, BigFiles.of(index));
        for (int chunk = table.first(inode(name)); chunk < table.end(inode(name)); chunk++) {
            ByteBuffer bytes = ByteBuffer.allocate(table.size(chunk));
            Arrays.fill(bytes.array(), (byte) (chunk + 1));
            store.put(chunk, bytes);
        }
    }

    private static ByteBuffer page() {
        return ByteBuffer.allocate(4096);
    }

    @Test
    void aFileThatIsWholeAndVerifiedIsLeftToTheKernel() throws IOException {
        try (ChunkStore store = open(new ChunkCache(1L << 30))) {
            store(store, "big");
            assertThat(store.keepFile(inode("big"))).isPresent();
            assertThat(store.keepFile(inode("bigger"))).isEmpty();
            store(store, "small");
            assertThat(store.keepFile(inode("small"))).isEmpty();
        }
    }

    @Test
    void aFileThatLosesAChunkWhileItIsVerifiedIsNotLeftToTheKernel() throws IOException {
        try (ChunkStore store = open(new ChunkCache(1L << 30))) {
            store(store, "big");
        }
        // An earlier process has left it, so that it has to be verified first.
        try (ChunkStore store = open(new ChunkCache(1L << 30))) {
            assertThat(store.keepFile(inode("big"))).isEmpty();
            assertThat(store.read(1, 0, page(), (_, _) -> true)).isTrue();
            assertThat(store.read(0, 0, page(), (_, _) -> {
                        giveBack(store, 1);
                        return true;
                    }))
                    .isTrue();
            assertThat(store.has(0)).isFalse();
            assertThat(store.has(1)).isTrue();
            assertThat(store.keepFile(inode("big"))).isEmpty();
        }
    }

    /** The first time around it only notes that nothing was read since. */
    private static void giveBack(ChunkStore store, long bytes) {
        try {
            store.evict(bytes);
            store.evict(bytes);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void whatTheKernelReadsIsNotGivenBack() throws IOException {
        try (ChunkStore store = open(new ChunkCache(1L << 30))) {
            store(store, "big");
            store(store, "bigger");
            store(store, "small");
            assertThat(store.keepFile(inode("big"))).isPresent();
            store.keepTold(inode("bigger"));
            giveBack(store, Long.MAX_VALUE);
            assertThat(store.bytes()).isEqualTo(2L * BIG);
            assertThat(store.has(4)).isFalse();
        }
    }

    @Test
    void whatTheKernelReadsHasThreeQuartersOfTheRoom() throws IOException {
        ChunkCache cache = new ChunkCache(2L * BIG + 2000);
        try (ChunkStore store = open(cache)) {
            store(store, "big");
            store(store, "bigger");
            assertThat(store.keepFile(inode("big"))).isPresent();
            assertThat(store.keepFile(inode("bigger"))).isEmpty();
            assertThat(store.keepFile(inode("big"))).isPresent();
        }
        // What is closed takes no room: else it would be used up by and by.
        assertThat(cache.leave((2L * BIG + 2000) / 4 * 3)).isTrue();
    }

    @Test
    void nothingIsGivenBackBeforeItIsKnownWhatTheKernelReads() throws IOException {
        ChunkCache cache = new ChunkCache(CHUNK);
        cache.hold(true);
        try (ChunkStore store = open(cache)) {
            store(store, "big");
            assertThat(store.bytes()).isEqualTo(BIG);
            store.keepTold(inode("big"));
            cache.hold(false);
            store(store, "bigger");
            assertThat(store.has(0)).isTrue();
            assertThat(store.has(1)).isTrue();
            assertThat(store.bytes()).isLessThan(2L * BIG);
        }
    }
}
