package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.Resolved.Lazy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is fetched beside what is read: counted in requests, which cost a registry more than bytes. */
class FetchWindowTest {

    private static final LayerSettings SETTINGS =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(3), true, 0, false);

    @TempDir
    private Path folder;

    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final List<AutoCloseable> open = new ArrayList<>();

    @SuppressWarnings("NullAway.Init") // made by each test
    private ServedBlob served;

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private void file(String name, int size) {
        byte[] bytes = new byte[size];
        new Random(files.size()).nextBytes(bytes);
        files.put(name, bytes);
    }

    private Layer lazily() throws Exception {
        served = new ServedBlob(folder, files, List.of());
        open.add(served);
        Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);
        open.add(registry);
        Layers layers = new Layers(
                folder.resolve("layers"),
                new BlobSources(registry, List.of()),
                SETTINGS,
                new ChunkCache(1L << 30),
                new Traffic(),
                Optional.empty());
        open.add(layers);
        Resolved resolved = layers.resolve(CallContext.withoutNamespace(Duration.ofSeconds(60)), served.source());
        assertThat(resolved).isInstanceOf(Lazy.class);
        return ((Lazy) resolved).layer();
    }

    /** How many requests it takes to read the first byte of each of these files, one after another. */
    private int requests(Layer layer, String... names) throws IOException {
        int before = served.ranges().size();
        for (String name : names) {
            read(layer, name, 0);
        }
        return served.ranges().size() - before;
    }

    private void read(Layer layer, String name, int offset) throws IOException {
        int inode = LayerIndex.ROOT;
        for (String part : name.split("/", -1)) {
            inode = layer.index().lookup(inode, part.getBytes(StandardCharsets.UTF_8));
        }
        ByteBuffer to = ByteBuffer.allocate(1);
        if (!layer.content().readLocal(inode, offset, to)) {
            layer.content().read(inode, offset, to);
        }
        assertThat(to.get(0)).as(name).isEqualTo(bytes(name)[offset]);
    }

    private byte[] bytes(String name) {
        return Optional.ofNullable(files.get(name)).orElseThrow();
    }

    @Test
    void smallFilesALittleBeforeAreFetchedToo() throws Exception {
        for (int i = 0; i < 10; i++) {
            file("lib/" + i, 3000);
        }
        Layer layer = lazily();
        assertThat(requests(layer, "lib/6", "lib/5", "lib/4", "lib/9")).isEqualTo(1);
        // 16 KiB of compressed bytes are five of these files.
        assertThat(requests(layer, "lib/0")).isEqualTo(1);
    }

    @Test
    void theFolderInAFolderCountsAsNear() throws Exception {
        file("lib/a.py", 3000);
        file("lib/cache/a.pyc", 3000);
        file("lib/cache/b.pyc", 3000);
        file("lib/b.py", 3000);
        Layer layer = lazily();
        assertThat(requests(layer, "lib/b.py", "lib/cache/b.pyc", "lib/cache/a.pyc", "lib/a.py"))
                .isEqualTo(1);
    }

    @Test
    void anotherFolderBesideIsLeftAlone() throws Exception {
        file("a/1", 3000);
        file("b/1", 3000);
        Layer layer = lazily();
        assertThat(requests(layer, "b/1")).isEqualTo(1);
        assertThat(requests(layer, "a/1")).isEqualTo(1);
    }

    @Test
    void aFileWithLittleBehindItsFirstChunkIsFetchedAtOnce() throws Exception {
        file("program", 3 * ServedBlob.CHUNK / 2);
        file("rest", 3 * ServedBlob.CHUNK);
        Layer layer = lazily();
        assertThat(requests(layer, "program")).isEqualTo(1);
        int before = served.ranges().size();
        read(layer, "program", ServedBlob.CHUNK);
        assertThat(served.ranges()).hasSize(before);
    }

    @Test
    void aLargeFileIsFetchedPieceByPiece() throws Exception {
        file("large", 4 * ServedBlob.CHUNK);
        Layer layer = lazily();
        assertThat(requests(layer, "large")).isEqualTo(1);
        int before = served.ranges().size();
        read(layer, "large", 3 * ServedBlob.CHUNK);
        assertThat(served.ranges()).hasSize(before + 1);
    }
}
