package dev.longshore.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnknownException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every {@link ContentStore} does. An implementation extends this class, once for itself and once through its proxy. */
public abstract class ContentStoreContract {

    private final CallContext context = CallContext.of("contract", Duration.ofMinutes(1));

    @TempDir
    private Path folder;

    private ContentStore store;

    /**
     * Opens the implementation on {@code root}, which is empty at first and later has what an earlier one left. Closing the
     * answer closes everything that belongs to it.
     */
    protected abstract ContentStore open(Path root) throws Exception;

    /** Whether labels are kept; a store may leave them to the metadata over it. */
    protected abstract boolean keepsLabels();

    /**
     * What stands before every ref in the implementation itself, for the filters of lists, and in every blob that has room for
     * it; nothing unless the store is shared with others, whose blobs must not be taken for ours.
     */
    protected String unique() {
        return "";
    }

    /** Ends the implementation, and opens it again on what it left in {@code root}. */
    protected ContentStore reopen(ContentStore open, Path root) throws Exception {
        open.close();
        return open(root);
    }

    /** Whether more is asked than containerd's own implementations do: of ours it is. */
    protected boolean isStrict() {
        return true;
    }

    /** {@code expected}; unless strict, also what a server answers that does not classify this error. */
    private Class<?>[] orUnknown(Class<?> expected) {
        return isStrict() ? new Class<?>[] {expected} : new Class<?>[] {expected, UnknownException.class};
    }

    @BeforeEach
    final void openFresh() throws Exception {
        store = open(folder);
    }

    @AfterEach
    final void closeStore() {
        store.close();
    }

    private void reopen() throws Exception {
        store = reopen(store, folder);
    }

    /** Bytes that no compression makes smaller, the same for the same seed. */
    private byte[] bytes(int size, long seed) {
        byte[] bytes = new byte[size];
        new Random(seed + ((long) unique().hashCode() << 32)).nextBytes(bytes);
        return bytes;
    }

    private byte[] bytes(String text) {
        return (text + unique()).getBytes(StandardCharsets.UTF_8);
    }

    private ContentWriter writer(String ref) {
        return store.writer(context, new WriterRequest(ref, 0, Optional.empty()));
    }

    private Digest write(String ref, byte[] bytes) {
        return write(ref, bytes, Map.of());
    }

    private Digest write(String ref, byte[] bytes, Map<String, String> labels) {
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer = store.writer(context, new WriterRequest(ref, bytes.length, Optional.of(digest)))) {
            int there = (int) writer.status().offset(); // all of it, if the store need not be sent it again
            writer.write(ByteBuffer.wrap(bytes, there, bytes.length - there));
            writer.commit(bytes.length, Optional.of(digest), labels);
        }
        return digest;
    }

    private byte[] read(Digest digest, long offset, int size) {
        try (ContentReader reader = store.reader(context, digest)) {
            ByteBuffer buffer = ByteBuffer.allocate(size);
            while (buffer.hasRemaining()) {
                int read = reader.read(buffer, offset + buffer.position());
                assertThat(read).as("bytes at %d", offset + buffer.position()).isPositive();
            }
            return buffer.array();
        }
    }

    private byte[] readAll(Digest digest) {
        return read(digest, 0, (int) store.info(context, digest).size());
    }

    // Blobs

    @ParameterizedTest(name = "{0} bytes")
    @ValueSource(ints = {0, 1, 4096, 9_000_001})
    final void aBlobIsReadAsItWasWritten(int size) {
        byte[] bytes = bytes(size, size);
        assumeTrue(isMissing(Digest.sha256(bytes)), "somebody else's blob of so few bytes is in this store");
        Instant before = Instant.now().minusSeconds(2);
        Digest digest = write("r", bytes);
        assertThat(read(digest, 0, size)).isEqualTo(bytes);
        ContentInfo info = store.info(context, digest);
        assertThat(info.digest()).isEqualTo(digest);
        assertThat(info.size()).isEqualTo(size);
        assertThat(info.created()).isBetween(before, Instant.now().plusSeconds(2));
    }

    private boolean isMissing(Digest digest) {
        try {
            store.info(context, digest);
            return false;
        } catch (NotFoundException e) {
            return true;
        }
    }

    @Test
    final void aBlobIsReadAtAnyOffset() {
        byte[] bytes = bytes(3_000_000, 1);
        Digest digest = write("r", bytes);
        for (int offset : new int[] {0, 1, 1_048_575, 1_048_577, 2_999_999}) {
            int size = Math.min(1_500_000, bytes.length - offset);
            assertThat(ByteBuffer.wrap(read(digest, offset, size))).isEqualTo(ByteBuffer.wrap(bytes, offset, size));
        }
    }

    @Test
    final void readingStopsAtTheEnd() {
        Digest digest = write("r", bytes("hello"));
        try (ContentReader reader = store.reader(context, digest)) {
            int size = bytes("hello").length;
            assertThat(reader.size()).isEqualTo(size);
            ByteBuffer buffer = ByteBuffer.allocate(100);
            assertThat(reader.read(buffer, 3)).isEqualTo(size - 3);
            assertThat(buffer.position()).isEqualTo(size - 3);
            assertThat(reader.read(buffer, size)).isEqualTo(-1);
            assertThat(reader.read(buffer, 1000)).isEqualTo(-1);
            assertThat(buffer.position()).isEqualTo(size - 3);
        }
    }

    @Test
    final void aBlobOutlivesTheStore() throws Exception {
        Digest digest = write("r", bytes("hello"));
        reopen();
        assertThat(readAll(digest)).isEqualTo(bytes("hello"));
    }

    @Test
    final void whatIsNotThereIsNotFound() {
        Digest digest = Digest.sha256(bytes("nothing"));
        assertThatThrownBy(() -> store.info(context, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> store.reader(context, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> store.status(context, "nothing")).isInstanceOf(NotFoundException.class);
    }

    @Test
    final void whatIsNotThereCannotBeRemoved() {
        assumeTrue(isStrict(), "containerd's local store is content that it is gone: asked for with --strict");
        Digest digest = Digest.sha256(bytes("nothing"));
        assertThatThrownBy(() -> store.delete(context, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> store.abort(context, "nothing")).isInstanceOf(NotFoundException.class);
    }

    @Test
    final void aDeletedBlobIsGone() {
        Digest digest = write("r", bytes("hello"));
        store.delete(context, digest);
        assertThatThrownBy(() -> store.info(context, digest)).isInstanceOf(NotFoundException.class);
        assertThat(list()).isEmpty();
        write("r", bytes("hello"));
        assertThat(list()).containsExactly(digest);
    }

    @Test
    final void everyBlobIsListedOnceAndFiltersChoose() {
        List<Digest> digests = new ArrayList<>();
        for (int i = 0; i < 250; i++) {
            digests.add(write("r" + i, bytes("blob " + i)));
        }
        assertThat(list()).containsExactlyInAnyOrderElementsOf(digests);
        assertThat(list("digest==" + digests.get(7))).containsExactly(digests.get(7));
        assertThat(list("digest==" + digests.get(7), "digest==" + digests.get(8)))
                .containsExactlyInAnyOrder(digests.get(7), digests.get(8));
    }

    private List<Digest> list(String... filters) {
        List<Digest> digests = new ArrayList<>();
        store.list(context, List.of(filters), info -> digests.add(info.digest()));
        return digests;
    }

    @Test
    final void aListIsLeftWhenItsReaderFails() {
        write("r", bytes("hello"));
        assertThatThrownBy(() -> store.list(context, List.of(), info -> {
                    throw new IllegalStateException("enough");
                }))
                .hasMessageContaining("enough");
        assertThat(list()).hasSize(1);
    }

    @ParameterizedTest(name = "{0}", quoteTextArguments = false)
    @ValueSource(strings = {"sha384", "sha512"})
    final void aBlobMayHaveALongerDigest(String algorithm) {
        assumeTrue(isStrict(), "containerd's local store knows sha256 only: asked for with --strict");
        byte[] bytes = bytes(10_000, 5);
        Digest digest = digest(algorithm, bytes);
        try (ContentWriter writer = store.writer(context, new WriterRequest("r", 0, Optional.of(digest)))) {
            writer.write(ByteBuffer.wrap(bytes));
            writer.commit(0, Optional.of(digest), Map.of());
            assertThat(writer.digest()).isEqualTo(digest);
        }
        assertThat(read(digest, 0, bytes.length)).isEqualTo(bytes);
        assertThat(list()).containsExactly(digest);
    }

    @Test
    final void aLongerDigestMayBeToldAtTheCommitOnly() {
        assumeTrue(isStrict(), "containerd's local store knows sha256 only: asked for with --strict");
        byte[] bytes = bytes(3_000_000, 6);
        Digest digest = digest("sha512", bytes);
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes));
            assertThatThrownBy(() -> writer.commit(0, Optional.of(digest("sha512", bytes("other"))), Map.of()))
                    .isInstanceOf(FailedPreconditionException.class);
        }
        try (ContentWriter writer = writer("r")) {
            writer.commit(bytes.length, Optional.of(digest), Map.of());
        }
        assertThat(read(digest, 0, bytes.length)).isEqualTo(bytes);
    }

    private static Digest digest(String algorithm, byte[] bytes) {
        var digester = Digest.digester(algorithm);
        digester.update(bytes);
        return Digest.of(algorithm, digester);
    }

    // Ingests

    @Test
    final void anIngestTellsHowFarItIs() {
        byte[] bytes = bytes(256, 1);
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer = store.writer(context, new WriterRequest("r", 256, Optional.of(digest)))) {
            assertThat(writer.status().offset()).isZero();
            assertThat(writer.status().total()).isEqualTo(256);
            assertThat(writer.status().ref()).isEqualTo("r");
            assertThat(writer.digest()).isEqualTo(Digest.sha256(new byte[0]));
            writer.write(ByteBuffer.wrap(bytes, 0, 100));
            assertThat(writer.status().offset()).isEqualTo(100);
            byte[] start = new byte[100];
            System.arraycopy(bytes, 0, start, 0, 100);
            assertThat(writer.digest()).isEqualTo(Digest.sha256(start));

            IngestStatus seen = store.status(context, "r");
            assertThat(seen.ref()).isEqualTo("r");
            assertThat(seen.offset()).isEqualTo(100);
            assertThat(seen.total()).isEqualTo(256);
        }
    }

    @Test
    final void anIngestIsResumedWhereItWasLeft() throws Exception {
        byte[] bytes = bytes(2_500_000, 2);
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes, 0, 1_300_000));
        }
        reopen();
        try (ContentWriter writer = writer("r")) {
            assertThat(writer.status().offset()).isEqualTo(1_300_000);
            writer.write(ByteBuffer.wrap(bytes, 1_300_000, 1_200_000));
            assertThat(writer.digest()).isEqualTo(Digest.sha256(bytes));
            writer.commit(bytes.length, Optional.of(Digest.sha256(bytes)), Map.of());
        }
        assertThat(read(Digest.sha256(bytes), 0, bytes.length)).isEqualTo(bytes);
        assertThatThrownBy(() -> store.status(context, "r")).isInstanceOf(NotFoundException.class);
    }

    @Test
    final void aRefHasOneWriterAtATime() {
        int size = bytes("x").length;
        for (int i = 0; i < 20; i++) {
            try (ContentWriter first = writer("r")) {
                assertThatThrownBy(() -> writer("r"))
                        .isInstanceOf(UnavailableException.class)
                        .hasMessageContaining("r");
                first.write(ByteBuffer.wrap(bytes("x")));
            }
            // The lock is gone as soon as the writer is closed.
        }
        assertThat(store.status(context, "r").offset()).isEqualTo(20L * size);
    }

    @Test
    final void anIngestCanStartOver() {
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("wrong")));
            writer.truncate(0);
            assertThat(writer.status().offset()).isZero();
            assertThat(writer.digest()).isEqualTo(Digest.sha256(new byte[0]));
            writer.write(ByteBuffer.wrap(bytes("right")));
            writer.commit(bytes("right").length, Optional.empty(), Map.of());
        }
        assertThat(readAll(Digest.sha256(bytes("right")))).isEqualTo(bytes("right"));
    }

    @Test
    final void anAbortedIngestStartsAtNothing() {
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("half")));
        }
        store.abort(context, "r");
        assertThatThrownBy(() -> store.status(context, "r")).isInstanceOf(NotFoundException.class);
        try (ContentWriter writer = writer("r")) {
            assertThat(writer.status().offset()).isZero();
        }
    }

    @Test
    final void anIngestIsAbortedUnderItsWritersHands() {
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("half")));
            store.abort(context, "r");
            assertThatThrownBy(() -> store.status(context, "r")).isInstanceOf(NotFoundException.class);
            assertThatThrownBy(() -> writer.commit(0, Optional.empty(), Map.of()))
                    .isInstanceOfAny(orUnknown(AbortedException.class));
        }
        assertThat(list()).isEmpty();
        try (ContentWriter writer = writer("r")) {
            assertThat(writer.status().offset()).isZero();
        }
    }

    @Test
    final void aClosedWriterNeitherWritesNorCommits() {
        ContentWriter writer = writer("r");
        writer.write(ByteBuffer.wrap(bytes("half")));
        writer.close();
        assertThatThrownBy(() -> writer.commit(bytes("half").length, Optional.empty(), Map.of()))
                .isInstanceOf(FailedPreconditionException.class);
        assertThatThrownBy(() -> writer.write(ByteBuffer.wrap(bytes("more"))))
                .isInstanceOf(FailedPreconditionException.class);
        writer.close();
        assertThat(store.status(context, "r").offset()).isEqualTo(bytes("half").length);
        assertThat(list()).isEmpty();
    }

    @Test
    final void theTimeOfAnIngestMovesOnWithItsData() {
        try (ContentWriter writer = writer("r")) {
            Instant started = store.status(context, "r").started();
            // Times of files come from a clock with ticks of some milliseconds.
            await().untilAsserted(() -> {
                writer.write(ByteBuffer.wrap(bytes("x")));
                assertThat(store.status(context, "r").updated()).isAfter(started.plusMillis(20));
            });
            assertThat(store.status(context, "r").started()).isEqualTo(started);
        }
    }

    @Test
    final void ingestsAreListedAndFiltersChoose() {
        for (String ref : List.of("one", "two", "three")) {
            writer(ref).close();
        }
        assertThat(store.statuses(context, List.of()))
                .extracting(IngestStatus::ref)
                .containsExactlyInAnyOrder("one", "two", "three");
        assertThat(store.statuses(context, List.of("ref==\"" + unique() + "two\"")))
                .extracting(IngestStatus::ref)
                .containsExactly("two");
    }

    @Test
    final void aCommitOfTheWrongSizeOrDigestFailsAndKeepsWhatWasWritten() {
        int size = bytes("hello").length;
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("hello")));
            assertThatThrownBy(() -> writer.commit(size - 1, Optional.empty(), Map.of()))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("unexpected commit size");
        }
        try (ContentWriter writer = writer("r")) {
            assertThatThrownBy(() -> writer.commit(size, Optional.of(Digest.sha256(bytes("other"))), Map.of()))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("unexpected commit digest");
        }
        assertThat(list()).isEmpty();
        try (ContentWriter writer = writer("r")) {
            assertThat(writer.status().offset()).isEqualTo(size);
            writer.commit(size, Optional.of(Digest.sha256(bytes("hello"))), Map.of());
        }
        assertThat(list()).containsExactly(Digest.sha256(bytes("hello")));
    }

    @Test
    final void aCommitOfABlobThatExistsSaysSoAndDropsTheIngest() {
        Digest digest = write("first", bytes("hello"));
        for (Optional<Digest> expected : List.of(Optional.of(digest), Optional.<Digest>empty())) {
            try (ContentWriter writer = writer("second")) {
                assertThat(writer.status().offset()).isZero();
                writer.write(ByteBuffer.wrap(bytes("hello")));
                assertThatThrownBy(() -> writer.commit(bytes("hello").length, expected, Map.of()))
                        .isInstanceOf(AlreadyExistsException.class)
                        .hasMessageContaining(digest.toString());
            }
        }
        assertThat(readAll(digest)).isEqualTo(bytes("hello"));
    }

    @Test
    final void aWriterForABlobThatExistsIsNotOpened() {
        Digest digest = write("first", bytes("hello"));
        assertThatThrownBy(() ->
                        store.writer(context, new WriterRequest("second", bytes("hello").length, Optional.of(digest))))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(store.statuses(context, List.of())).isEmpty();
    }

    @Test
    final void refsMayHaveAnyCharacters() {
        for (String ref : List.of("../../etc/passwd", "layer-sha256:ab/cd", "ü \u0001 ref", "x".repeat(300))) {
            try (ContentWriter writer = writer(ref)) {
                writer.write(ByteBuffer.wrap(bytes(ref)));
            }
            assertThat(store.status(context, ref).ref()).isEqualTo(ref);
            store.abort(context, ref);
        }
    }

    @Test
    final void manyWriteAtOnce() throws Exception {
        try (ExecutorService writers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Digest>> tasks = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                int seed = i;
                tasks.add(() -> write("r" + seed, bytes(500_000, seed)));
            }
            int seed = 0;
            for (Future<Digest> written : writers.invokeAll(tasks)) {
                assertThat(read(written.get(), 0, 500_000)).isEqualTo(bytes(500_000, seed++));
            }
        }
    }

    @Test
    final void ofManyWhoBringTheSameBlobOneWinsAndTheOthersAreTold() throws Exception {
        byte[] bytes = bytes(200_000, 9);
        try (ExecutorService writers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Boolean>> tasks = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String ref = "r" + i;
                tasks.add(() -> {
                    try {
                        write(ref, bytes);
                        return true;
                    } catch (AlreadyExistsException e) {
                        return false;
                    }
                });
            }
            int winners = 0;
            for (Future<Boolean> won : writers.invokeAll(tasks)) {
                winners += won.get() ? 1 : 0;
            }
            assertThat(winners).isPositive();
        }
        assertThat(list()).containsExactly(Digest.sha256(bytes));
        assertThat(read(Digest.sha256(bytes), 0, bytes.length)).isEqualTo(bytes);
    }

    // Labels

    @Test
    final void labelsAreKeptUpdatedAndFilteredBy() {
        assumeTrue(keepsLabels(), "this store leaves labels to the metadata over it");
        Digest digest = write("r", bytes("hello"), Map.of("a.b/c", "1", "d", "2"));
        write("s", bytes("other"), Map.of());
        ContentInfo info = store.info(context, digest);
        assertThat(info.labels()).isEqualTo(Map.of("a.b/c", "1", "d", "2"));
        assertThat(list("labels.\"a.b/c\"==1")).containsExactly(digest);

        ContentInfo one = update(digest, Map.of("a.b/c", "9", "d", "8"), "labels.a.b/c");
        assertThat(one.labels()).isEqualTo(Map.of("a.b/c", "9", "d", "2"));
        assertThat(one.updated()).isAfterOrEqualTo(info.updated());
        assertThat(update(digest, Map.of("d", ""), "labels.d").labels()).isEqualTo(Map.of("a.b/c", "9"));
        assertThat(update(digest, Map.of("e", "5")).labels()).isEqualTo(Map.of("e", "5"));
        assertThat(store.info(context, digest).labels()).isEqualTo(Map.of("e", "5"));
    }

    private ContentInfo update(Digest digest, Map<String, String> labels, String... paths) {
        ContentInfo info = new ContentInfo(digest, 0, Instant.EPOCH, Instant.EPOCH, labels);
        return store.update(context, info, List.of(paths));
    }

    @Test
    final void labelsOfNothingAreNotFound() {
        assumeTrue(keepsLabels(), "this store leaves labels to the metadata over it");
        assertThatThrownBy(() -> update(Digest.sha256(bytes("nothing")), Map.of("a", "b")))
                .isInstanceOf(NotFoundException.class);
    }
}
