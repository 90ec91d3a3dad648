package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.bytes;
import static dev.longshore.daemon.metadata.MetadataFixture.digest;
import static dev.longshore.daemon.metadata.MetadataFixture.list;
import static dev.longshore.daemon.metadata.MetadataFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Content of several namespaces over one backend: who sees what, who must send what, and what is collected. */
final class ContentNamespacesTest {

    private static final Map<String, String> ROOT = Map.of("containerd.io/gc.root", "yes");

    private final CallContext one = CallContext.of("one", Duration.ofMinutes(1));
    private final CallContext two = CallContext.of("two", Duration.ofMinutes(1));
    private final CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(1));

    @TempDir
    private Path root;

    private MetadataStore metadata;
    private LocalContentStore files;
    private MetadataContentStore content;

    @BeforeEach
    void open() throws Exception {
        metadata = MetadataStore.open(
                Files.createDirectories(root.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
        files = new LocalContentStore(root.resolve("content"), Clock.systemUTC());
        content = metadata.content(files, SharingPolicy.SHARED);
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private ContentWriter writer(CallContext context, String ref, String text) {
        return content.writer(context, new WriterRequest(ref, bytes(text).length, Optional.of(digest(text))));
    }

    private int collect() {
        var _ = metadata.garbage().run();
        return content.removeGarbage(nobody);
    }

    @Test
    void aNamespaceDoesNotSeeAnothersBlobsAndIngests() {
        Digest digest = write(content, one, "hello", ROOT);
        content.writer(one, new WriterRequest("r", 0, Optional.empty())).close();

        assertThatThrownBy(() -> content.info(two, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> content.reader(two, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> content.delete(two, digest)).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> content.abort(two, "r")).isInstanceOf(NotFoundException.class);
        assertThat(list(content, two)).isEmpty();
        assertThat(content.statuses(two, List.of())).isEmpty();
        assertThatThrownBy(() -> content.info(nobody, digest)).isInstanceOf(FailedPreconditionException.class);
    }

    @Test
    void theSameRefInTwoNamespacesIsTwoIngests() {
        try (ContentWriter first = content.writer(one, new WriterRequest("r", 0, Optional.empty()));
                ContentWriter second = content.writer(two, new WriterRequest("r", 0, Optional.empty()))) {
            first.write(ByteBuffer.wrap(bytes("of one")));
            second.write(ByteBuffer.wrap(bytes("2")));
            assertThat(content.status(one, "r").offset()).isEqualTo(6);
            assertThat(content.status(two, "r").offset()).isEqualTo(1);
        }
    }

    @Test
    void whoKnowsTheDigestNeedNotSendTheBytesAgain() {
        Digest digest = write(content, one, "hello", ROOT);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            assertThat(writer.status().offset()).isEqualTo(5);
            assertThat(writer.digest()).isEqualTo(digest);
            assertThat(content.status(two, "r").expected()).contains(digest);
            writer.commit(5, Optional.of(digest), Map.of("of", "two"));
        }
        assertThat(content.info(two, digest).labels()).isEqualTo(Map.of("of", "two"));
        assertThat(content.info(one, digest).labels()).isEqualTo(ROOT);
        content.delete(one, digest);
        assertThat(content.info(two, digest).size()).isEqualTo(5);
    }

    @Test
    void aDigestOfAnotherSizeMustBeSent() {
        write(content, one, "hello", ROOT);
        try (ContentWriter writer = content.writer(two, new WriterRequest("r", 6, Optional.of(digest("hello"))))) {
            assertThat(writer.status().offset()).isZero();
        }
    }

    @Test
    void bytesBehindASharedBlobMakeAnotherOne() {
        Digest hello = write(content, one, "hello", ROOT);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            writer.write(ByteBuffer.wrap(bytes(" world")));
            assertThat(writer.status().offset()).isEqualTo(11);
            writer.commit(11, Optional.of(digest("hello world")), Map.of());
        }
        assertThat(list(content, two)).containsExactly(digest("hello world"));
        assertThat(list(content, one)).containsExactly(hello);
    }

    @Test
    void aSharedIngestCanBeCutAndStartedOver() {
        write(content, one, "hello", ROOT);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            writer.truncate(4);
            assertThat(writer.status().offset()).isEqualTo(4);
            assertThat(writer.digest()).isEqualTo(digest("hell"));
            writer.truncate(0);
            writer.write(ByteBuffer.wrap(bytes("hello")));
            writer.commit(5, Optional.of(digest("hello")), Map.of());
        }
        assertThat(list(content, two)).containsExactly(digest("hello"));
    }

    @Test
    void isolatedNamespacesMustSendTheBytes() {
        content = metadata.content(files, SharingPolicy.ISOLATED);
        Digest digest = write(content, one, "hello", ROOT);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            assertThat(writer.status().offset()).isZero();
            assertThatThrownBy(() -> writer.commit(5, Optional.of(digest), Map.of()))
                    .isInstanceOf(FailedPreconditionException.class);
        }
        assertThatThrownBy(() -> content.info(two, digest)).isInstanceOf(NotFoundException.class);
        write(content, two, "hello", Map.of());
        assertThat(content.info(two, digest).size()).isEqualTo(5);
    }

    @Test
    void aShareableNamespaceIsSharedEvenSo() {
        content = metadata.content(files, SharingPolicy.ISOLATED);
        metadata.namespaces()
                .create(new Namespace(new NamespaceId("one"), Map.of("containerd.io/namespace.shareable", "true")));
        Digest digest = write(content, one, "hello", ROOT);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            assertThat(writer.status().offset()).isEqualTo(5);
            writer.commit(5, Optional.of(digest), Map.of());
        }
        // What two has by that is not for the others.
        content.delete(one, digest);
        CallContext three = CallContext.of("three", Duration.ofMinutes(1));
        try (ContentWriter writer = writer(three, "r", "hello")) {
            assertThat(writer.status().offset()).isZero();
        }
    }

    @Test
    void aBlobIsRemovedWhenNoNamespaceHasIt() {
        Digest digest = write(content, one, "hello", ROOT);
        write(content, two, "hello", ROOT);
        content.delete(one, digest);
        assertThat(collect()).isZero();
        assertThat(list(files, nobody)).containsExactly(digest);
        content.delete(two, digest);
        assertThat(collect()).isEqualTo(1);
        assertThat(list(files, nobody)).isEmpty();
    }

    @Test
    void aBlobThatWasDeletedAndNotCollectedIsWrittenAgain() {
        Digest digest = write(content, one, "hello", ROOT);
        content.delete(one, digest);
        write(content, one, "hello", ROOT);
        assertThat(collect()).isZero();
        assertThat(list(content, one)).containsExactly(digest);
    }

    @Test
    void anIngestKeepsTheBlobThatItStandsFor() {
        Digest digest = write(content, one, "hello", ROOT);
        content.delete(one, digest);
        try (ContentWriter writer = writer(two, "r", "hello")) {
            assertThat(writer.status().offset()).isEqualTo(5);
            assertThat(collect()).isZero();
            writer.commit(5, Optional.of(digest), ROOT);
        }
        assertThat(collect()).isZero();
        try (ContentReader reader = content.reader(two, digest)) {
            assertThat(reader.size()).isEqualTo(5);
        }
    }

    @Test
    void anIngestThatNoRowNamesIsRemoved() {
        files.writer(nobody, new WriterRequest("one/7/stranger", 0, Optional.empty()))
                .close();
        try (ContentWriter writer = content.writer(one, new WriterRequest("r", 0, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes("half")));
            assertThat(collect()).isZero();
            assertThat(files.statuses(nobody, List.of())).hasSize(1);
            writer.write(ByteBuffer.wrap(bytes("whole")));
            writer.commit(9, Optional.of(digest("halfwhole")), ROOT);
        }
        assertThat(list(content, one)).containsExactly(digest("halfwhole"));
    }

    @Test
    void aCommitThatWasCutShortIsResumedOverWhatTheBackendHas() {
        // The backend made the blob, and the row was never written.
        Digest digest = digest("hello");
        try (ContentWriter writer = content.writer(one, new WriterRequest("r", 5, Optional.of(digest)))) {
            writer.write(ByteBuffer.wrap(bytes("hello")));
        }
        String backendRef = files.statuses(nobody, List.of()).getFirst().ref();
        try (ContentWriter writer = files.writer(nobody, new WriterRequest(backendRef, 5, Optional.empty()))) {
            writer.commit(5, Optional.of(digest), Map.of());
        }
        for (SharingPolicy policy : SharingPolicy.values()) {
            content = metadata.content(files, policy);
            CallContext context = CallContext.of(policy.name(), Duration.ofMinutes(1));
            assertThat(write(content, context, "hello", ROOT)).isEqualTo(digest);
        }
    }

    @Test
    void aBlobThatLostBytesIsNotRead() throws Exception {
        Digest digest = write(content, one, "hello", ROOT);
        Path blob = root.resolve("content/blobs/sha256").resolve(digest.hex());
        assertThat(blob.toFile().setWritable(true)).isTrue();
        Files.write(blob, bytes("hel"), StandardOpenOption.TRUNCATE_EXISTING);
        assertThatThrownBy(() -> content.reader(one, digest))
                .isInstanceOf(DataLossException.class)
                .hasMessageContaining("3 of its 5 bytes");
        Files.delete(blob);
        assertThatThrownBy(() -> content.reader(one, digest)).isInstanceOf(NotFoundException.class);
        // Deleted and fetched again, it is whole.
        content.delete(one, digest);
        write(content, one, "hello", ROOT);
        try (ContentReader reader = content.reader(one, digest)) {
            assertThat(reader.size()).isEqualTo(5);
        }
    }

    @Test
    void aBlobOfTheNamespaceIsLeasedInsteadOfOpened() {
        Digest digest = write(content, one, "hello", Map.of());
        metadata.leases().create(new NamespaceId("one"), "l", Map.of());
        assertThatThrownBy(() -> content.writer(one.withLease("l"), new WriterRequest("r", 5, Optional.of(digest))))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(metadata.leases().resources(new NamespaceId("one"), "l"))
                .containsExactly(new LeaseResource("content", digest.toString()));
        assertThat(collect()).isZero();
        metadata.leases().delete(new NamespaceId("one"), "l");
        assertThat(collect()).isEqualTo(1);
    }

    @Test
    void aLeaseKeepsAnIngestAndThenItsBlob() {
        NamespaceId namespace = new NamespaceId("one");
        metadata.leases().create(namespace, "l", Map.of());
        CallContext leased = one.withLease("l");
        try (ContentWriter writer = content.writer(leased, new WriterRequest("r", 0, Optional.empty()))) {
            assertThat(metadata.leases().resources(namespace, "l")).containsExactly(new LeaseResource("ingests", "r"));
            writer.write(ByteBuffer.wrap(bytes("hello")));
            writer.commit(5, Optional.empty(), Map.of());
        }
        assertThat(metadata.leases().resources(namespace, "l"))
                .containsExactly(new LeaseResource("content", digest("hello").toString()));
    }

    @Test
    void aWriteUnderALeaseThatIsGoneIsNotFound() {
        assertThatThrownBy(() -> content.writer(one.withLease("gone"), new WriterRequest("r", 0, Optional.empty())))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("gone");
        assertThat(content.statuses(one, List.of())).isEmpty();
    }

    @Test
    void aRefThatIsTooLongIsRefused() {
        assertThatThrownBy(() -> content.writer(one, new WriterRequest("x".repeat(40_000), 0, Optional.empty())))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("at most 32768");
    }

    @Test
    void labelsThatAreTooBigFailTheCommitAndKeepTheIngest() {
        try (ContentWriter writer = content.writer(one, new WriterRequest("r", 0, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes("hello")));
            assertThatThrownBy(() -> writer.commit(5, Optional.empty(), Map.of("k", "v".repeat(5000))))
                    .isInstanceOf(InvalidArgumentException.class);
        }
        assertThat(content.status(one, "r").offset()).isEqualTo(5);
    }
}
