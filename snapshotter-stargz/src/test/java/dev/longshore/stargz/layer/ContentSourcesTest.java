package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.Resolved.Lazy;
import dev.longshore.stargz.layer.Resolved.Ordinary;
import dev.longshore.stargz.layer.ServedBlob.Mood;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Layers out of content stores, and out of registries when those fail. */
class ContentSourcesTest {

    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final LayerSettings SETTINGS =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(2), true, 0, false);

    @TempDir
    private Path folder;

    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private final Traffic traffic = new Traffic();

    @SuppressWarnings("NullAway.Init") // made before each test
    private ServedBlob served;

    @SuppressWarnings("NullAway.Init") // made before each test
    private HeldContent held;

    @BeforeEach
    void serve() throws IOException {
        for (int i = 0; i < 4; i++) {
            byte[] bytes = new byte[400_000];
            new Random(i).nextBytes(bytes);
            files.put("file-" + i, bytes);
        }
        served = closed(new ServedBlob(folder, files, List.of()));
        held = closed(new HeldContent(folder.resolve("content.sock")));
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private <T extends AutoCloseable> T closed(T resource) {
        open.add(resource);
        return resource;
    }

    private Layers layers(List<ContentSource> stores, LayerSettings settings) throws IOException {
        Registry registry = closed(new Registry(new HostsDirectory(List.of(), false), Credentials.NONE));
        return closed(new Layers(
                folder.resolve("layers"),
                new BlobSources(registry, stores),
                settings,
                new ChunkCache(1L << 30),
                traffic,
                Optional.empty()));
    }

    private Layers layers() throws IOException {
        return layers(List.of(held.source(TIMEOUT)), SETTINGS);
    }

    private static Resolved resolve(Layers layers, LayerSource source) throws InterruptedException {
        return layers.resolve(CallContext.withoutNamespace(Duration.ofSeconds(60)), source);
    }

    private static Layer lazily(Layers layers, LayerSource source) throws InterruptedException {
        Resolved resolved = resolve(layers, source);
        assertThat(resolved).isInstanceOf(Lazy.class);
        return ((Lazy) resolved).layer();
    }

    private void check(Layer layer, String name) throws IOException {
        int inode = layer.index().lookup(LayerIndex.ROOT, name.getBytes(StandardCharsets.UTF_8));
        byte[] content = Objects.requireNonNull(files.get(name), name);
        ByteBuffer to = ByteBuffer.allocate(content.length);
        layer.content().read(inode, 0, to);
        assertThat(to.array()).isEqualTo(content);
    }

    /** The blob with other bytes in the streams of its files; its table of contents is as it was. */
    private byte[] forged() {
        byte[] bytes = served.bytes();
        for (int i = 1000; i < bytes.length / 2; i += 50_000) {
            bytes[i] ^= 1;
        }
        return bytes;
    }

    @Test
    void layerThatAStoreHasIsReadFromThereAndNoRegistryIsAsked() throws Exception {
        held.hold(served.bytes());
        ContentSource source = held.source(TIMEOUT);
        Layer layer = lazily(layers(List.of(source), SETTINGS), served.source());
        check(layer, "file-2");
        assertThat(served.ranges()).isEmpty();
        assertThat(source.fetched())
                .as("the table of contents, a file, and little besides")
                .isBetween(400_000L, served.size() / 2L);
        for (String name : files.keySet()) {
            check(layer, name);
        }
    }

    @Test
    void layerThatNoStoreHasIsReadFromItsRegistry() throws Exception {
        Layer layer = lazily(layers(), served.source());
        check(layer, "file-1");
        assertThat(served.ranges()).isNotEmpty();
        assertThat(held.reads()).isZero();
    }

    @Test
    void storesAreAskedInTheirOrder() throws Exception {
        HeldContent second = closed(new HeldContent(folder.resolve("second.sock")));
        held.hold(served.bytes());
        second.hold(served.bytes());
        check(
                lazily(layers(List.of(held.source(TIMEOUT), second.source(TIMEOUT)), SETTINGS), served.source()),
                "file-0");
        assertThat(held.reads()).isPositive();
        assertThat(second.reads()).isZero();
    }

    @Test
    void registryGivesWhatAStoreThatWentAwayDoesNot() throws Exception {
        held.hold(served.bytes());
        Layer layer = lazily(layers(), served.source());
        check(layer, "file-0");
        held.stop();
        check(layer, "file-1");
        assertThat(served.ranges()).isNotEmpty();
    }

    @Test
    void registryGivesWhatAStoreHasLost() throws Exception {
        held.hold(served.bytes());
        Layer layer = lazily(layers(), served.source());
        held.lose();
        check(layer, "file-1");
        assertThat(served.ranges()).isNotEmpty();
    }

    @Test
    void storeThatDoesNotAnswerIsLeftInTime() throws Exception {
        held.hold(served.bytes());
        Layer layer = lazily(layers(List.of(held.source(Duration.ofSeconds(1))), SETTINGS), served.source());
        held.beSilent();
        long before = System.nanoTime();
        for (String name : files.keySet()) {
            check(layer, name);
        }
        assertThat(Duration.ofNanos(System.nanoTime() - before))
                .as("one read has waited, the others pass it over")
                .isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));
    }

    @Test
    void wrongBytesOfAStoreAreNotGivenOutAndNotAskedForAgain() throws Exception {
        held.hold(forged());
        Layer layer = lazily(layers(), served.source());
        check(layer, "file-0");
        int reads = held.reads();
        check(layer, "file-1");
        check(layer, "file-3");
        assertThat(held.reads()).isEqualTo(reads);
        assertThat(traffic.mismatches()).isEqualTo(1);
        assertThat(served.ranges()).isNotEmpty();
    }

    @Test
    void wrongTableOfContentsInAStoreIsReadFromTheRegistry() throws Exception {
        byte[] bytes = served.bytes();
        bytes[bytes.length - 200] ^= 1;
        held.hold(bytes);
        check(lazily(layers(), served.source()), "file-0");
    }

    @Test
    void blobOfAnotherSizeIsNotTheLayer() throws Exception {
        Layer layer = lazily(layers(), served.source());
        held.hold(new byte[1000]);
        check(layer, "file-0");
        assertThat(held.reads()).isZero();
    }

    @Test
    void imageThatNoRegistryHasIsReadFromAStoreAlsoAfterARestart() throws Exception {
        held.hold(served.bytes());
        served.be(Mood.REFUSING);
        Layers first = layers();
        check(lazily(first, served.ipfsSource()), "file-0");
        first.close();
        check(layers().open(served.source().digest()).orElseThrow(), "file-1");
        assertThat(served.ranges()).isEmpty();
    }

    @Test
    void imageThatNobodyHasIsOrdinaryAndSaysWhatToConfigure() throws Exception {
        assertThat(((Ordinary) resolve(layers(List.of(), SETTINGS), served.ipfsSource())).reason())
                .contains("in no registry")
                .contains("[content.NAME]");
        assertThat(((Ordinary) resolve(layers(), served.ipfsSource())).reason())
                .contains("content store held")
                .contains(served.source().digest().toString());
    }

    @Test
    void storeThatComesBackInTimeGivesTheLayerOfAnImageThatNoRegistryHas() throws Exception {
        held.hold(served.bytes());
        LayerSettings patient =
                new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(30), true, 0, false);
        Layer layer = lazily(layers(List.of(held.source(TIMEOUT)), patient), served.ipfsSource());
        held.stop();
        try (ExecutorService readers = Executors.newFixedThreadPool(1)) {
            Future<?> read = readers.submit(() -> {
                check(layer, "file-2");
                return 0;
            });
            assertThatThrownBy(() -> read.get(1, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
            held.serve();
            read.get(20, TimeUnit.SECONDS);
        }
    }

    @Test
    void readOfALayerThatIsNowhereEndsWithAnErrorThatNamesIt() throws Exception {
        held.hold(served.bytes());
        Layer layer = lazily(layers(), served.ipfsSource());
        check(layer, "file-0");
        held.lose();
        assertThatThrownBy(() -> check(layer, "file-3"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(layer.digest().toString())
                .hasMessageContaining("content store held");
        check(layer, "file-0");
        held.hold(served.bytes());
        check(layer, "file-3");
    }

    @Test
    void wrongBytesOfTheOnlyStoreEndTheRead() throws Exception {
        held.hold(forged());
        Layer layer = lazily(layers(), served.ipfsSource());
        assertThatThrownBy(() -> check(layer, "file-0"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("/file-0");
        held.hold(served.bytes());
        check(layer, "file-0");
    }
}
