package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.stargz.fuse.BackingFiles;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.Resolved.Lazy;
import dev.longshore.stargz.layer.Resolved.Ordinary;
import dev.longshore.stargz.layer.ServedBlob.Mood;
import dev.longshore.stargz.layer.Traffic.Purpose;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Layers out of a registry that is real enough, and misbehaves when it is told to. */
class LayersTest {

    private static final int LARGE = 3_000_000;
    private static final long ROOMY = 1L << 30;
    private static final LayerSettings SETTINGS =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(3), true, 0, false);

    @TempDir
    private Path folder;

    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private final Traffic traffic = new Traffic();

    @SuppressWarnings("NullAway.Init") // made by each test
    private ServedBlob served;

    @BeforeEach
    void fill() {
        files.put("first", random(100_000));
        files.put("large", random(LARGE));
        for (int i = 0; i < 20; i++) {
            files.put("small-" + i, random(3_000 + i));
        }
        files.put("last", random(200_000));
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private static byte[] random(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }

    private void serve(String... prioritized) throws IOException {
        served = new ServedBlob(folder, files, List.of(prioritized));
        open.add(served);
    }

    private Layers layers(LayerSettings settings, long room) throws IOException {
        Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);
        open.add(registry);
        Layers layers = new Layers(
                folder.resolve("layers"),
                new BlobSources(registry, List.of()),
                settings,
                new ChunkCache(room),
                traffic,
                Optional.empty());
        open.add(layers);
        return layers;
    }

    private Layer lazily(Layers layers) throws InterruptedException {
        Resolved resolved = layers.resolve(context(), served.source());
        assertThat(resolved).isInstanceOf(Lazy.class);
        return ((Lazy) resolved).layer();
    }

    private static String reason(Resolved resolved) {
        assertThat(resolved).isInstanceOf(Ordinary.class);
        return ((Ordinary) resolved).reason();
    }

    private static CallContext context() {
        return CallContext.withoutNamespace(Duration.ofSeconds(60));
    }

    private byte[] read(Layer layer, String name, long offset, int length) throws IOException {
        int inode = layer.index().lookup(LayerIndex.ROOT, name.getBytes(StandardCharsets.UTF_8));
        ByteBuffer to = ByteBuffer.allocate(length);
        if (!layer.content().readLocal(inode, offset, to)) {
            layer.content().read(inode, offset, to);
        }
        assertThat(to.hasRemaining()).isFalse();
        return to.array();
    }

    private byte[] content(String name) {
        return Objects.requireNonNull(files.get(name), name);
    }

    private void checkAll(Layer layer) throws IOException {
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            assertThat(read(layer, file.getKey(), 0, file.getValue().length))
                    .as(file.getKey())
                    .isEqualTo(file.getValue());
        }
    }

    @Test
    void littleIsFetchedOfWhatLittleIsReadOf() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        assertThat(read(layer, "large", 1_000_000, 5000))
                .isEqualTo(Arrays.copyOfRange(content("large"), 1_000_000, 1_005_000));
        assertThat(traffic.fetched(Purpose.ON_DEMAND)).isLessThan(served.size() / 8);
        assertThat(layer.fetched()).isPositive().isLessThan(layer.size() / 8);
        assertThat(layer.complete()).isFalse();
    }

    @Test
    void allIsReadRightAndInFewRequests() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        checkAll(layer);
        // 46 chunks of the large file alone.
        assertThat(served.ranges()).hasSizeLessThan(20);
        int requests = served.ranges().size();
        checkAll(layer);
        assertThat(served.ranges()).hasSize(requests);
        assertThat(layer.complete()).isTrue();
        assertThat(layer.fetched()).isEqualTo(layer.size());
    }

    @Test
    void readersOfTheSameBytesShareOneRequest() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        int before = served.ranges().size();
        try (ExecutorService readers = Executors.newFixedThreadPool(16)) {
            List<Future<byte[]>> reads = Stream.generate(() -> readers.submit(() -> read(layer, "last", 0, 60_000)))
                    .limit(16)
                    .toList();
            for (Future<byte[]> read : reads) {
                assertThat(read.get()).isEqualTo(Arrays.copyOf(content("last"), 60_000));
            }
        }
        assertThat(served.ranges()).hasSize(before + 1);
    }

    @Test
    void whatIsNeededFirstIsFetchedInOneRequest() throws Exception {
        serve("small-3", "last");
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        assertThat(layer.awaitPrefetch(Duration.ofSeconds(20))).isTrue();
        int before = served.ranges().size();
        assertThat(before).as("the end of the layer, and its beginning").isEqualTo(2);
        assertThat(read(layer, "last", 0, 200_000)).isEqualTo(content("last"));
        assertThat(read(layer, "small-3", 0, 3_003)).isEqualTo(content("small-3"));
        assertThat(served.ranges()).hasSize(before);
        assertThat(traffic.fetched(Purpose.PREFETCH))
                .as("up to the landmark, and nothing of what comes behind it")
                .isEqualTo(layer.index().prefetchEnd().orElseThrow() - firstStream(layer));
        assertThat(layer.prefetchUse().fetched()).isEqualTo(traffic.fetched(Purpose.PREFETCH));
        assertThat(layer.prefetchUse().used())
                .as("not the landmark, which is a stream of its own")
                .isBetween(200_000L, layer.prefetchUse().fetched());
    }

    /** Before it there is but the header of its file. */
    private static long firstStream(Layer layer) {
        return layer.index().blobOffset(0);
    }

    @Test
    void theRestComesByItself() throws Exception {
        serve();
        LayerSettings background =
                new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(3), true, 0, true);
        Layer layer = lazily(layers(background, ROOMY));
        await().atMost(Duration.ofSeconds(60)).until(layer::complete);
        served.close();
        checkAll(layer);
    }

    @Test
    void whatIsHereIsReadWithoutARegistryAfterARestart() throws Exception {
        serve();
        Layers first = layers(SETTINGS, ROOMY);
        checkAll(lazily(first));
        first.close();
        served.close();

        Layers second = layers(SETTINGS, ROOMY);
        Layer layer = second.open(served.source().digest()).orElseThrow();
        checkAll(layer);
        assertThat(traffic.mismatches()).isZero();
    }

    @Test
    void damageOnTheDiskIsFoundAndRepaired() throws Exception {
        serve();
        Layers first = layers(SETTINGS, ROOMY);
        Layer layer = lazily(first);
        checkAll(layer);
        damage();
        checkAll(layer);
        damage();
        first.close();
        checkAll(layers(SETTINGS, ROOMY).open(served.source().digest()).orElseThrow());
    }

    private Path data() throws IOException {
        try (Stream<Path> below = Files.walk(folder.resolve("layers"))) {
            return below.filter(path -> path.endsWith("data")).findFirst().orElseThrow();
        }
    }

    private void damage() throws IOException {
        try (FileChannel channel = FileChannel.open(data(), StandardOpenOption.WRITE)) {
            for (long at = 0; at < channel.size(); at += 50_000) {
                channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}), at);
            }
        }
    }

    @Test
    void emptiedCacheIsFilledAgain() throws Exception {
        serve();
        Layers first = layers(SETTINGS, ROOMY);
        Layer layer = lazily(first);
        checkAll(layer);
        Files.write(data(), new byte[0]);
        checkAll(layer);
        Files.delete(data());
        first.close();
        checkAll(layers(SETTINGS, ROOMY).open(served.source().digest()).orElseThrow());
    }

    /** A layer of which parts far from each other are here, and what has been asked for so far is forgotten. */
    private Layer holed() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        for (int i = 0; i < 5; i++) {
            read(layer, "large", 400_000 + 500_000 * i, 10);
        }
        read(layer, "last", 0, 10);
        served.ranges().clear();
        return layer;
    }

    private static void fetchRest(Layer layer) throws IOException {
        assertThat(layer.files().chunks().orElseThrow().background(0, Long.MAX_VALUE))
                .isEqualTo(layer.index().chunks());
        assertThat(layer.complete()).isTrue();
    }

    @Test
    void holesBetweenWhatIsHereAreFilledByOneRequest() throws Exception {
        Layer layer = holed();
        fetchRest(layer);
        assertThat(served.ranges()).singleElement().asString().matches("bytes=\\d+-\\d+(,\\d+-\\d+){4,6}");
        checkAll(layer);
    }

    @Test
    void serverThatKnowsSingleRangesOnlyFillsTheHolesOneByOne() throws Exception {
        Layer layer = holed();
        served.be(Mood.SINGLE_RANGES);
        fetchRest(layer);
        assertThat(served.ranges()).filteredOn(range -> range.contains(",")).hasSize(1);
        assertThat(served.ranges()).hasSizeBetween(6, 8);
        checkAll(layer);
    }

    @Test
    void answerWithSeveralRangesThatBreaksOffIsAskedForAgainFromThereOn() throws Exception {
        Layer layer = holed();
        served.be(Mood.BROKEN_ONCE);
        fetchRest(layer);
        assertThat(served.ranges()).hasSize(2);
        assertThat(served.ranges().getLast().split(",", -1))
                .hasSizeBetween(1, served.ranges().getFirst().split(",", -1).length - 1);
        checkAll(layer);
    }

    @Test
    void cacheDoesNotGrowBeyondItsRoom() throws Exception {
        serve();
        ChunkCache cache = new ChunkCache(1_000_000);
        Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);
        open.add(registry);
        Layers layers = new Layers(
                folder.resolve("layers"),
                new BlobSources(registry, List.of()),
                SETTINGS,
                cache,
                traffic,
                Optional.empty());
        open.add(layers);
        Layer layer = lazily(layers);
        for (int round = 0; round < 3; round++) {
            checkAll(layer);
            assertThat(cache.bytes()).isLessThan(1_000_000 + 2 * ServedBlob.CHUNK);
        }
    }

    @Test
    void bytesThatChangeAreNotGivenOut() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        assertThat(read(layer, "first", 0, 10)).isEqualTo(Arrays.copyOf(content("first"), 10));
        served.be(Mood.FORGED);
        assertThatThrownBy(() -> read(layer, "large", 2_000_000, 10))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(layer.digest().toString())
                .hasMessageContaining("/large");
        assertThat(traffic.mismatches()).isPositive();
        served.be(Mood.GOOD);
        assertThat(read(layer, "large", 2_000_000, 10))
                .isEqualTo(Arrays.copyOfRange(content("large"), 2_000_000, 2_000_010));
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403, 429, 500, 503})
    void registryThatRefusesForAWhileIsWaitedFor(int status) throws Exception {
        serve();
        Layer layer = lazily(layers(
                new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(30), true, 0, false), ROOMY));
        served.refuse(status);
        int before = served.ranges().size();
        try (ExecutorService readers = Executors.newFixedThreadPool(1)) {
            Future<byte[]> read = readers.submit(() -> read(layer, "last", 0, 10));
            await().until(() -> served.ranges().size() > before + 1);
            served.be(Mood.GOOD);
            assertThat(read.get()).isEqualTo(Arrays.copyOf(content("last"), 10));
        }
    }

    @Test
    void registryThatForgetsHowToSendPartsIsReadFromAllTheSame() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        served.be(Mood.NO_RANGES);
        checkAll(layer);
    }

    @Test
    void fullDiskCostsTimeAndNoBytes() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount a small file system");
        serve();
        Path small = Files.createDirectory(folder.resolve("layers"));
        MountCalls.mount("none", small, "tmpfs", 0, "size=1m");
        open.add(() -> MountCalls.unmount(small, MountCalls.MNT_DETACH));
        Layers layers = layers(SETTINGS, ROOMY);
        Layer layer = lazily(layers);
        checkAll(layer);
        assertThat(layer.complete()).isFalse();
        checkAll(layer);
        assertThat(traffic.failures()).isZero();
    }

    @Test
    void registryThatIsGoneIsAnErrorAfterAWhileThatNamesTheLayer() throws Exception {
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        assertThat(read(layer, "first", 0, 10)).isEqualTo(Arrays.copyOf(content("first"), 10));
        served.close();
        assertThatThrownBy(() -> read(layer, "last", 0, 10))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(layer.digest().toString());
        assertThat(read(layer, "first", 0, 10)).isEqualTo(Arrays.copyOf(content("first"), 10));
        assertThat(traffic.failures()).isEqualTo(1);
    }

    @Test
    void bodiesThatBreakOffAreGoneOnWith() throws Exception {
        serve();
        Layer layer = lazily(layers(
                new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(60), true, 0, false), ROOMY));
        served.be(Mood.BROKEN);
        // Each attempt brings half of what is left.
        assertThat(read(layer, "last", 0, 10)).isEqualTo(Arrays.copyOf(content("last"), 10));
    }

    @Test
    void layersThatCannotBeReadLazilySayWhy() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        assertThat(reason(layers.resolve(context(), served.source(Map.of()))))
                .contains("no digest of a table of contents");
        assertThat(reason(layers.resolve(
                        context(),
                        served.source(Map.of("containerd.io/snapshot/stargz/toc.digest", "sha256:" + "0".repeat(64))))))
                .contains("not the one that the image names");
        served.be(Mood.NO_RANGES);
        assertThat(reason(layers.resolve(context(), served.source()))).contains("all of it");
        served.close();
        assertThat(reason(layers.resolve(context(), served.source()))).contains("127.0.0.1");
        assertThat(layers.all()).isEmpty();
    }

    @Test
    void anImageDoesNotGetWhatAnotherHasPromised() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        lazily(layers);
        assertThat(reason(layers.resolve(
                        context(),
                        served.source(Map.of("containerd.io/snapshot/stargz/toc.digest", "sha256:" + "0".repeat(64))))))
                .contains("not what the image promises");
        assertThat(reason(layers.resolve(context(), served.source(Map.of())))).contains("not what the image promises");
    }

    @Test
    void layerThatNobodyUsesLeavesNothing() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        Layer layer = lazily(layers);
        checkAll(layer);
        layers.remove(layer.digest());
        assertThat(folder.resolve("layers")).isEmptyDirectory();
        checkAll(lazily(layers));
        layers.close();
        Layers next = layers(SETTINGS, ROOMY);
        next.keepOnly(Set.of());
        assertThat(folder.resolve("layers")).isEmptyDirectory();
    }

    private static final Digest OTHER = Digest.sha256("another layer".getBytes(StandardCharsets.UTF_8));

    private Path ahead() {
        return folder.resolve("layers/ahead/sha256-" + OTHER.hex());
    }

    private static final Map<String, String> FORGED =
            Map.of("containerd.io/snapshot/stargz/toc.digest", "sha256:" + "0".repeat(64));

    @Test
    void neighborsAreProbedBeforeTheyAreAskedFor() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        assertThat(layers.resolve(context(), served.source(List.of(OTHER)))).isInstanceOf(Lazy.class);
        await().until(() -> Files.exists(ahead()));
        int requests = served.ranges().size();
        Resolved resolved = layers.resolve(context(), served.other(OTHER, served.annotations()));
        assertThat(resolved).isInstanceOf(Lazy.class);
        assertThat(served.ranges()).hasSize(requests);
        assertThat(ahead()).doesNotExist();
        checkAll(((Lazy) resolved).layer());
    }

    @Test
    void aNeighborIsNotLazyUnlessItIsWhatTheImagePromises() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        layers.resolve(context(), served.source(List.of(OTHER)));
        await().until(() -> Files.exists(ahead()));
        assertThat(reason(layers.resolve(context(), served.other(OTHER, FORGED))))
                .contains("not the one that the image names");
        assertThat(layers.find(OTHER)).isEmpty();
        assertThat(layers.resolve(context(), served.other(OTHER, served.annotations())))
                .isInstanceOf(Lazy.class);
    }

    @Test
    void whatOneImageSaysOfAnothersLayersIsNotUsedForThat() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        layers.resolve(context(), served.source(List.of(OTHER)));
        await().until(() -> Files.exists(ahead()));
        int requests = served.ranges().size();
        LayerSource same = served.other(OTHER, served.annotations());
        ImageName elsewhere = ImageName.parse(served.reference().toString().replace("/app:", "/elsewhere:"));
        Resolved resolved = layers.resolve(
                context(),
                new LayerSource(elsewhere, OTHER, List.of(), same.toc(), same.annotations(), same.prefetch()));
        assertThat(resolved).isInstanceOf(Lazy.class);
        assertThat(((Lazy) resolved).layer().reference()).isEqualTo(elsewhere);
        assertThat(served.ranges()).hasSizeGreaterThan(requests);
    }

    @Test
    void neighborsThatNobodyAsksForAreGoneAfterARestart() throws Exception {
        serve();
        Layers layers = layers(SETTINGS, ROOMY);
        Layer layer = lazily(layers);
        layers.resolve(context(), served.source(List.of(OTHER)));
        layers.remove(layer.digest());
        layers.resolve(context(), served.source(List.of(OTHER)));
        await().until(() -> Files.exists(ahead()));
        layers.close();
        layers(SETTINGS, ROOMY).keepOnly(Set.of(layer.digest()));
        assertThat(ahead().getParent()).doesNotExist();
    }

    @Test
    void bigFilesAreForTheKernelWhenAllOfThemIsHereAndAreLeftAsTheyAre() throws Exception {
        files.put("big", random((int) BigFiles.SIZE));
        serve();
        Layer layer = lazily(layers(SETTINGS, BigFiles.SIZE + LARGE));
        int big = layer.index().lookup(LayerIndex.ROOT, "big".getBytes(StandardCharsets.UTF_8));
        int large = layer.index().lookup(LayerIndex.ROOT, "large".getBytes(StandardCharsets.UTF_8));
        BackingFiles backing = layer.backingFiles().orElseThrow();
        assertThat(backing.mayHave(big)).isTrue();
        assertThat(backing.mayHave(large)).isFalse();
        read(layer, "big", 0, 100_000);
        assertThat(backing.keep(big)).isEmpty();
        assertThat(read(layer, "big", 0, content("big").length)).isEqualTo(content("big"));
        Path file = backing.keep(big).orElseThrow();
        assertThat(file).hasBinaryContent(content("big"));
        // More than there is room for, twice, so that the hand comes by.
        for (int i = 0; i < 2; i++) {
            read(layer, "large", 0, LARGE);
            read(layer, "first", 0, 100_000);
            read(layer, "last", 0, 200_000);
        }
        assertThat(file).hasBinaryContent(content("big"));
        assertThat(backing.keep(large)).isEmpty();
    }

    @Test
    void layersWithoutBigFilesHaveNoneForTheKernel() throws Exception {
        serve();
        assertThat(lazily(layers(SETTINGS, ROOMY)).backingFiles()).isEmpty();
    }

    @Test
    void aFolderIsFetchedAsAWholeWhenTheOneBeforeWasReadAsAWhole() throws Exception {
        files.clear();
        for (int folder = 0; folder < 6; folder++) {
            for (int i = 0; i < 60; i++) {
                files.put("f%d/%02d".formatted(folder, i), random(4_000 + folder * 60 + i));
            }
        }
        serve();
        Layer layer = lazily(layers(SETTINGS, ROOMY));
        // Every second folder, and not in the order of the layer.
        for (int folder = 0; folder < 6; folder += 2) {
            int requests = served.ranges().size();
            for (int i = 0; i < 60; i++) {
                int file = i * 7 % 60;
                int inode = layer.index()
                        .lookup(LayerIndex.ROOT, "f%d".formatted(folder).getBytes(StandardCharsets.UTF_8));
                int child = layer.index().lookup(inode, "%02d".formatted(file).getBytes(StandardCharsets.UTF_8));
                byte[] content = content("f%d/%02d".formatted(folder, file));
                ByteBuffer to = ByteBuffer.allocate(content.length);
                layer.content().read(child, 0, to);
                assertThat(to.array()).isEqualTo(content);
            }
            if (folder > 0) {
                assertThat(served.ranges()).hasSizeLessThanOrEqualTo(requests + 2);
            }
        }
        assertThat(traffic.fetched(Purpose.ON_DEMAND)).isLessThan(served.size() * 3L / 4);
    }
}
