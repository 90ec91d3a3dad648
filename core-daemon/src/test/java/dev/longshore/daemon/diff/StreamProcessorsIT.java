package dev.longshore.daemon.diff;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.LeaseStore;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.Errors;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.testkit.LayerArchive;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Programs that work on layers, and that do not. */
final class StreamProcessorsIT {

    private static final String ROT = "application/vnd.test.layer.rot13";
    private static final String ENCRYPTED = MediaTypes.OCI_LAYER_GZIP + "+encrypted";
    private static final byte[] TAR = new LayerArchive()
            .folder("d")
            .file("d/f", "content\n".repeat(50_000))
            .bytes();

    private final CallContext context = CallContext.of("test", Duration.ofMinutes(1));
    private final List<StreamProcessor> processors = new ArrayList<>();

    @TempDir
    private Path folder;

    private MetadataStore metadata;
    private ContentStore content;
    private Path root;
    private int blobs;

    @BeforeEach
    void open() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        metadata = MetadataStore.open(
                Files.createDirectories(folder.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
        content = metadata.content(
                new LocalContentStore(folder.resolve("content"), Clock.systemUTC()), SharingPolicy.SHARED);
        root = Files.createDirectory(folder.resolve("root"));
    }

    @AfterEach
    void close() {
        content.close();
        metadata.close();
    }

    @Test
    void aProcessorsOutputIsTheLayer() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "tr a-z n-za-m");
        Descriptor applied = apply(rotated(TAR), ROT);
        assertThat(applied).isEqualTo(new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(TAR), TAR.length));
        assertThat(root.resolve("d/f")).hasContent("content\n".repeat(50_000));
    }

    @Test
    void processorsAreChainedUntilThereIsATar() {
        shell("first", "a", "b", "tr a-z n-za-m");
        shell("second", "b", MediaTypes.OCI_LAYER_GZIP, "tr a-z n-za-m");
        assertThat(apply(gzip(TAR), "a").digest()).isEqualTo(Digest.sha256(TAR));
    }

    /** What decompresses zstd has megabytes outside of the heap, which nothing but its closing gives back. */
    @Test
    void whatDecompressesALayerIsClosedWithIt() throws IOException {
        byte[] blob = LayerArchive.compress(Compression.ZSTD, TAR);
        PlainLayer plain = registered()
                .open(
                        new ByteArrayInputStream(blob),
                        new Descriptor(MediaTypes.OCI_LAYER_ZSTD, Digest.sha256(blob), blob.length),
                        Map.of(),
                        context.deadline());
        assertThat(plain.readNBytes(100)).hasSize(100);
        plain.close();
        assertThatThrownBy(plain::read).isInstanceOf(IOException.class).hasMessageContaining("closed");
    }

    @Test
    void theLastThatWasRegisteredIsUsed() {
        shell("wrong", ROT, MediaTypes.OCI_LAYER, "echo wrong; exit 1");
        shell("right", ROT, MediaTypes.OCI_LAYER, "tr a-z n-za-m");
        assertThat(apply(rotated(TAR), ROT).digest()).isEqualTo(Digest.sha256(TAR));
    }

    @Test
    void aProcessorComesBeforeWhatIsBuiltIn() {
        shell("gunzip", MediaTypes.OCI_LAYER_GZIP, MediaTypes.OCI_LAYER, "echo used >&2; exit 7");
        assertThatThrownBy(() -> apply(gzip(TAR), MediaTypes.OCI_LAYER_GZIP))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("gunzip")
                .hasMessageContaining("exit status 7: used");
    }

    @Test
    void itIsToldTheMediaTypeAndHasItsEnvironmentAndThatOfTheDaemon() throws IOException {
        Path told = folder.resolve("told");
        processors.add(new StreamProcessor(
                "id",
                List.of(ROT),
                MediaTypes.OCI_LAYER,
                "sh",
                List.of("-c", "echo $STREAM_PROCESSOR_MEDIATYPE $A \"$0\" $PATH >" + told + "; cat", "an argument"),
                List.of("A=b=c")));
        apply(TAR, ROT);
        assertThat(told).hasContent(ROT + " b=c an argument " + System.getenv("PATH") + "\n");
    }

    @Test
    void thePayloadIsOnDescriptorThreeAndNowhereElse() throws IOException {
        Path seen = folder.resolve("seen");
        byte[] secret = new byte[200_000];
        Arrays.fill(secret, (byte) 7);
        TypedValue payload = new TypedValue("example.com/Keys", secret);
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat <&3 >%s; ls -l /proc/self/fd >%s.fds; cat".formatted(seen, seen));
        apply(TAR, ROT, Map.of("id", payload, "other", new TypedValue("x", new byte[0])), context);
        assertThat(Files.readAllBytes(seen)).isEqualTo(ProcessorRun.any(payload));
        assertThat(HexFormat.of().formatHex(Arrays.copyOf(Files.readAllBytes(seen), 22)))
                .isEqualTo("0a10" + HexFormat.of().formatHex("example.com/Keys".getBytes(UTF_8)) + "12c09a0c");
    }

    @Test
    void withoutAPayloadDescriptorThreeIsNotOpen() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "test ! -e /proc/self/fd/3 && cat");
        assertThat(apply(TAR, ROT).digest()).isEqualTo(Digest.sha256(TAR));
    }

    @Test
    void aPayloadThatIsNotReadIsNoHindrance() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat");
        TypedValue payload = new TypedValue("x", new byte[ProcessorRun.MAX_PAYLOAD - 100]);
        assertThat(apply(TAR, ROT, Map.of("id", payload), context).digest()).isEqualTo(Digest.sha256(TAR));
    }

    @Test
    void aPayloadThatIsTooLargeIsRefused() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat");
        TypedValue payload = new TypedValue("x", new byte[ProcessorRun.MAX_PAYLOAD]);
        assertThatThrownBy(() -> apply(TAR, ROT, Map.of("id", payload), context))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("limit");
    }

    @Test
    void anEncryptedLayerComesWithItsDescriptorEvenIfTheClientSendsNone() throws IOException {
        Path seen = folder.resolve("seen");
        shell("id", ENCRYPTED, MediaTypes.OCI_LAYER, "cat <&3 >%s; cat".formatted(seen));
        Descriptor stored = store(TAR, ENCRYPTED);
        Descriptor layer = new Descriptor(
                ENCRYPTED, stored.digest(), stored.size(), Map.of("org.opencontainers.image.enc.x", "y"));
        applier().apply(context, layer, mounts(), Map.of(), false);
        assertThat(Files.readString(seen, ISO_8859_1))
                .contains("io.containerd.ocicrypt.v1.Payload")
                .contains("\"org.opencontainers.image.enc.x\":\"y\"")
                .contains(layer.digest().toString());
    }

    @Test
    void aMediaTypeThatNothingAcceptsIsUnimplemented() {
        assertThatThrownBy(() -> apply(TAR, "x/y"))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("\"x/y\"")
                .hasMessageContaining("stream processor");
    }

    @Test
    void aChainThatLeadsNowhereStartsNothing() {
        Path started = folder.resolve("started");
        shell("id", ROT, "x/y", "touch " + started);
        assertThatThrownBy(() -> apply(TAR, ROT)).isInstanceOf(UnimplementedException.class);
        assertThat(started).doesNotExist();
    }

    @Test
    void aCircleIsRefused() {
        shell("id", "a", "b", "cat");
        shell("di", "b", "a", "cat");
        assertThatThrownBy(() -> apply(TAR, "a"))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("into itself");
    }

    @Test
    void aProgramThatIsMissingIsNamed() {
        processors.add(
                new StreamProcessor("id", List.of(ROT), MediaTypes.OCI_LAYER, "no-such-program", List.of(), List.of()));
        assertThatThrownBy(() -> apply(TAR, ROT))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("\"id\"")
                .hasMessageContaining("no program no-such-program in ");
    }

    @Test
    void whatFailsAfterAWholeArchiveIsAnErrorWithWhatItSaid() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat; echo it was forged >&2; exit 3");
        assertThatThrownBy(() -> apply(TAR, ROT))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("exit status 3: it was forged");
    }

    @Test
    void whatFailsHalfWayIsAnErrorWithWhatItSaidAndNotOneOfTheArchive() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "head -c 1000; echo wrong key >&2; exit 1");
        assertThatThrownBy(() -> apply(TAR, ROT)).hasMessageContaining("exit status 1: wrong key");
    }

    @Test
    void whatFailsBeforeACompressedStreamBeginsIsAnErrorWithWhatItSaid() {
        shell("id", ROT, MediaTypes.OCI_LAYER_GZIP, "echo no key >&2; exit 1");
        assertThatThrownBy(() -> apply(TAR, ROT)).hasMessageContaining("exit status 1: no key");
    }

    @Test
    void aFailureInTheMiddleOfAChainIsAnErrorEvenIfTheRestIsContent() {
        shell("first", "a", "b", "cat; echo first failed >&2; exit 1");
        shell("second", "b", MediaTypes.OCI_LAYER, "cat");
        assertThatThrownBy(() -> apply(TAR, "a")).hasMessageContaining("first failed");
    }

    @Test
    void garbageIsAnErrorOfTheArchive() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "yes");
        assertThatThrownBy(() -> apply(TAR, ROT)).hasMessageContaining("cannot be read");
        assertNothingRuns();
    }

    @Test
    void aProcessorThatNeverReadsIsEndedWithTheCall() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "sleep 1000");
        byte[] large = new byte[8 << 20];
        assertThatThrownBy(() -> apply(large, ROT, Map.of(), context.within(Duration.ofSeconds(2))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("\"id\"")
                .hasMessageContaining("killed");
        assertNothingRuns();
    }

    @Test
    void aProcessorThatNeverEndsIsEndedWithTheCall() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat; exec >&-; sleep 1000");
        assertThatThrownBy(() -> apply(TAR, ROT, Map.of(), context.within(Duration.ofSeconds(2))))
                .isInstanceOf(DeadlineExceededException.class);
        assertNothingRuns();
    }

    @Test
    void aProcessorWhoseGrandchildKeepsItsOutputIsEndedWithTheCall() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat; (setsid sleep 5 &) ; exit 0");
        assertThatThrownBy(() -> apply(TAR, ROT, Map.of(), context.within(Duration.ofSeconds(2))))
                .isInstanceOf(DeadlineExceededException.class);
    }

    @Test
    void aProcessorIsEndedWhenTheCallIsInterrupted() throws InterruptedException {
        Path started = folder.resolve("started");
        shell("id", ROT, MediaTypes.OCI_LAYER, "touch %s; exec sleep 1000".formatted(started));
        FutureTask<Descriptor> call = new FutureTask<>(() -> apply(TAR, ROT));
        Thread thread = Thread.ofPlatform().start(call);
        await().until(() -> Files.exists(started));
        thread.interrupt();
        assertThat(catchThrowable(call::get)).isInstanceOf(ExecutionException.class);
        thread.join();
        assertNothingRuns();
    }

    @Test
    void whatComesBehindTheArchiveIsReadSoThatTheProcessorEnds() {
        shell("id", ROT, MediaTypes.OCI_LAYER_GZIP, "cat; head -c 3000000 /dev/zero >/dev/null");
        assertThat(apply(gzip(TAR), ROT).digest()).isEqualTo(Digest.sha256(TAR));
        shell("trailing", ROT, MediaTypes.OCI_LAYER, "cat; head -c 3000000 /dev/zero");
        assertThat(apply(TAR, ROT).size()).isEqualTo(TAR.length + 3_000_000L);
    }

    @Test
    void aFirstProcessorEndsEvenIfTheSecondDoesNotWantAll() {
        shell("first", "a", "b", "cat; head -c 30000000 /dev/zero");
        shell("second", "b", MediaTypes.OCI_LAYER, "head -c " + TAR.length);
        assertThat(apply(TAR, "a").digest()).isEqualTo(Digest.sha256(TAR));
    }

    @Test
    void aGigabyteOfComplaintsIsNeitherKeptNorInTheWay() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "head -c 1G /dev/zero >&2; echo the reason >&2; cat; exit 9");
        assertThatThrownBy(() -> apply(TAR, ROT))
                .satisfies(error -> assertThat(error.getMessage())
                        .contains("the reason")
                        .contains("10737")
                        .hasSizeLessThan(3 * ErrorText.KEPT));
    }

    /** Sixteen times what the disk takes, out of a few kilobytes. */
    @ParameterizedTest
    @EnumSource(names = {"GZIP", "ZSTD"})
    void aBombOfAProcessorFillsTheDiskAndNothingElse(Compression compression) {
        String program = compression == Compression.GZIP ? "gzip" : "zstd";
        shell("id", ROT, MediaTypes.OCI_LAYER, program + " -dc");
        byte[] zeros = new byte[64 << 20];
        byte[] bomb = new LayerArchive()
                .add(
                        TarEntry.builder(EntryType.FILE, "zeros")
                                .size(zeros.length)
                                .build(),
                        zeros)
                .bytes(compression);
        List<Mount> small = List.of(new Mount("tmpfs", "tmpfs", List.of("size=4m")));
        Descriptor layer = store(bomb, ROT);
        assertThatThrownBy(() -> applier().apply(context, layer, small, Map.of(), false))
                .satisfies(error -> assertThat(Errors.classify(error)).isInstanceOf(ResourceExhaustedException.class));
        await().until(() -> ProcessHandle.current()
                .descendants()
                .noneMatch(process -> process.info().commandLine().orElse("").contains(program + " -dc")));
    }

    @Test
    void aProcessorThatNeverStopsIsEndedWithTheCall() {
        shell("id", ROT, MediaTypes.OCI_LAYER, "cat; exec cat /dev/zero");
        assertThatThrownBy(() -> apply(TAR, ROT, Map.of(), context.within(Duration.ofSeconds(2))))
                .isInstanceOf(DeadlineExceededException.class);
        await().until(() -> ProcessHandle.current()
                .descendants()
                .noneMatch(process -> process.info().commandLine().orElse("").contains("/dev/zero")));
    }

    @Test
    void anotherDiffersLayerIsTheTarAndTheTarIsGoneAfterwards() {
        shell("id", ENCRYPTED, MediaTypes.OCI_LAYER_GZIP, "cat");
        List<Descriptor> given = new ArrayList<>();
        Applier applied = proxied((layer, bytes) -> {
            given.add(layer);
            assertThat(bytes).isEqualTo(TAR);
        });
        Descriptor plain = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(TAR), TAR.length);
        assertThat(applied.apply(context, store(gzip(TAR), ENCRYPTED), mounts(), Map.of(), false))
                .isEqualTo(plain);
        assertThat(given).containsExactly(plain);
        LeaseStore leases = metadata.leases();
        assertThat(leases.list(context.requireNamespace(), List.of())).isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
        // Only the lease has kept it.
        metadata.garbage().run();
        assertThatThrownBy(() -> content.info(context, plain.digest())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void anotherDifferIsGivenAsItIsWhatNoProcessorAccepts() {
        List<Descriptor> given = new ArrayList<>();
        Descriptor layer = store(gzip(TAR), MediaTypes.OCI_LAYER_GZIP);
        proxied((seen, bytes) -> given.add(seen)).apply(context, layer, mounts(), Map.of(), false);
        assertThat(given).containsExactly(layer);
    }

    @Test
    void anotherDifferIsGivenNothingOfWhatAProcessorTakesBack() {
        shell("id", ENCRYPTED, MediaTypes.OCI_LAYER, "cat; echo forged >&2; exit 1");
        List<Descriptor> given = new ArrayList<>();
        Descriptor layer = store(TAR, ENCRYPTED);
        Applier applier = proxied((seen, bytes) -> given.add(seen));
        assertThatThrownBy(() -> applier.apply(context, layer, mounts(), Map.of(), false))
                .hasMessageContaining("forged");
        assertThat(given).isEmpty();
        assertThat(metadata.leases().list(context.requireNamespace(), List.of()))
                .isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
    }

    /** What a differ behind a socket sees. */
    private interface Seen {
        void apply(Descriptor layer, byte[] bytes);
    }

    private Applier proxied(Seen seen) {
        Applier differ = (call, layer, mounts, payloads, sync) -> {
            try (ContentReader reader = content.reader(call, layer.digest())) {
                ByteBuffer bytes = ByteBuffer.allocate((int) reader.size());
                assertThat(reader.read(bytes, 0)).isEqualTo(bytes.capacity());
                seen.apply(layer, bytes.array());
            }
            return layer;
        };
        return new ProcessingApplier(differ, content, metadata.leases(), registered(), Clock.systemUTC());
    }

    private static void assertNothingRuns() {
        await().untilAsserted(() -> assertThat(ProcessHandle.current()
                        .descendants()
                        .map(process -> process.info().commandLine().orElse("")))
                .noneMatch(command -> command.contains("sleep 1000") || command.contains("yes")));
    }

    private void shell(String id, String accepts, String returns, String script) {
        processors.add(new StreamProcessor(id, List.of(accepts), returns, "sh", List.of("-c", script), List.of()));
    }

    private StreamProcessors registered() {
        return new StreamProcessors(
                processors,
                Arrays.stream(System.getenv("PATH").split(":", -1))
                        .map(Path::of)
                        .toList());
    }

    private Applier applier() {
        return new WalkingApplier(content, folder, registered());
    }

    private List<Mount> mounts() {
        return List.of(new Mount("bind", root.toString(), List.of("rbind", "rw")));
    }

    private Descriptor apply(byte[] blob, String mediaType) {
        return apply(blob, mediaType, Map.of(), context);
    }

    private Descriptor apply(byte[] blob, String mediaType, Map<String, TypedValue> payloads, CallContext call) {
        return applier().apply(call, store(blob, mediaType), mounts(), payloads, false);
    }

    private Descriptor store(byte[] blob, String mediaType) {
        Digest digest = Digest.sha256(blob);
        if (content.statuses(context, List.of()).isEmpty() && !has(digest)) {
            try (ContentWriter writer =
                    content.writer(context, new WriterRequest("blob" + blobs++, blob.length, Optional.of(digest)))) {
                writer.write(ByteBuffer.wrap(blob));
                writer.commit(blob.length, Optional.of(digest), Map.of());
            }
        }
        return new Descriptor(mediaType, digest, blob.length);
    }

    private boolean has(Digest digest) {
        List<Digest> found = new ArrayList<>();
        content.list(context, List.of(), info -> found.add(info.digest()));
        return found.contains(digest);
    }

    private static byte[] gzip(byte[] bytes) {
        return LayerArchive.compress(Compression.GZIP, bytes);
    }

    private static byte[] rotated(byte[] bytes) {
        byte[] rotated = bytes.clone();
        for (int i = 0; i < rotated.length; i++) {
            if (rotated[i] >= 'a' && rotated[i] <= 'z') {
                rotated[i] = (byte) ('a' + (rotated[i] - 'a' + 13) % 26);
            }
        }
        return rotated;
    }
}
