package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rest of a layer, which is fetched when nobody waits. */
class FetchAheadTest {

    private static final LayerSettings SETTINGS =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(30), false, 0, true);

    @TempDir
    private Path folder;

    private final Traffic traffic = new Traffic();

    private static Map<String, byte[]> files() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : List.of("first", "middle", "last")) {
            byte[] bytes = new byte[300_000];
            new Random(name.hashCode()).nextBytes(bytes);
            files.put(name, bytes);
        }
        return files;
    }

    @Test
    void aLayerGetsItsImageThoughSomeOfItIsFetchedForAReaderWhoIsGone() throws Exception {
        try (ServedBlob served = new ServedBlob(folder, files(), List.of());
                Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);
                Layers layers = new Layers(
                        folder.resolve("layers"),
                        new BlobSources(registry, List.of()),
                        SETTINGS,
                        new ChunkCache(1L << 30),
                        traffic,
                        Optional.of(List.of("trusted.overlay.opaque")))) {
            // As if somebody waited: nothing else is fetched meanwhile.
            traffic.beginDemand();
            Resolved resolved = layers.resolve(CallContext.withoutNamespace(Duration.ofSeconds(30)), served.source());
            assertThat(resolved).isInstanceOf(Lazy.class);
            Layer layer = ((Lazy) resolved).layer();
            CountDownLatch hold = served.holdNext();
            long held = beginToRead(layer, served);
            traffic.endDemand(Duration.ZERO);

            LayerIndex index = layer.index();
            long all = index.blobEnd(index.chunks() - 1) - index.blobOffset(0);
            await().atMost(Duration.ofSeconds(20)).until(() -> layer.fetched() == all - held);
            assertThat(layer.image()).isEmpty();
            hold.countDown();
            await().atMost(Duration.ofSeconds(20)).until(() -> layer.image().isPresent());
        }
    }

    /** @return bytes that are asked for, and not waited for any more */
    private static long beginToRead(Layer layer, ServedBlob served) throws IOException {
        int requests = served.ranges().size();
        int middle = layer.index().lookup(LayerIndex.ROOT, "middle".getBytes(StandardCharsets.UTF_8));
        CompletableFuture<Void> gone = new CompletableFuture<>();
        try (ExecutorService readers = Executors.newSingleThreadExecutor()) {
            Future<?> reader = readers.submit(() -> {
                layer.content().read(middle, 150_000, ByteBuffer.allocate(10), gone);
                return null;
            });
            await().until(() -> served.ranges().size() > requests);
            gone.complete(null);
            assertThatThrownBy(() -> reader.get(10, TimeUnit.SECONDS)).hasMessageContaining("nobody waits");
        }
        String[] range = served.ranges().getLast().substring("bytes=".length()).split("-", 2);
        return Long.parseLong(range[1]) - Long.parseLong(range[0]) + 1;
    }
}
