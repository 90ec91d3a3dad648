package dev.longshore.daemon.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the contract cannot see: the files, those of strangers among them, and what crashes leave of them. */
final class LocalContentStoreTest {

    private final CallContext context = CallContext.of("files", Duration.ofMinutes(1));

    @TempDir
    private Path root;

    private LocalContentStore store;

    @BeforeEach
    void open() throws Exception {
        store = new LocalContentStore(root, Clock.systemUTC());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private ContentWriter writer(String ref) {
        return store.writer(context, new WriterRequest(ref, 0, Optional.empty()));
    }

    private Digest write(String text) {
        try (ContentWriter writer = writer("ref of " + text)) {
            writer.write(ByteBuffer.wrap(bytes(text)));
            writer.commit(0, Optional.empty(), Map.of());
            return writer.digest();
        }
    }

    private List<Digest> list() {
        List<Digest> digests = new ArrayList<>();
        store.list(context, List.of(), info -> digests.add(info.digest()));
        return digests;
    }

    private Path ingest(String ref) {
        return root.resolve("ingest").resolve(Digest.sha256(bytes(ref)).hex());
    }

    @Test
    void theLayoutIsContainerds() throws Exception {
        Digest digest = write("hello");
        Path blob = root.resolve("blobs/sha256").resolve(digest.hex());
        assertThat(blob).hasContent("hello");
        try (ContentWriter writer = store.writer(context, new WriterRequest("r", 7, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes("half")));
        }
        assertThat(ingest("r").resolve("ref")).hasContent("r");
        assertThat(ingest("r").resolve("data")).hasContent("half");
        assertThat(ingest("r").resolve("total")).hasContent("7");
        assertThat(ingest("r").resolve("startedat")).exists();
        assertThat(ingest("r").resolve("updatedat")).exists();
    }

    @Test
    void aBlobCanBeReadOnlyAndItsFolderIsPrivate() throws Exception {
        Path blob = root.resolve("blobs/sha256").resolve(write("hello").hex());
        assertThat(Files.getPosixFilePermissions(blob)).isSubsetOf(PosixFilePermissions.fromString("r--r--r--"));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve("blobs"))))
                .isEqualTo("rwx------");
    }

    @Test
    void nothingIsLeftOfACommittedIngest() throws Exception {
        write("hello");
        write("other");
        assertThat(root.resolve("ingest")).isEmptyDirectory();
    }

    @Test
    void filesOfStrangersAreNeitherListedNorRemoved() throws Exception {
        Digest digest = write("hello");
        Path blobs = root.resolve("blobs");
        Files.writeString(blobs.resolve("notes.txt"), "a file where a folder is expected");
        Files.createDirectories(blobs.resolve("md5"));
        Files.writeString(blobs.resolve("md5/d41d8cd98f00b204e9800998ecf8427e"), "");
        Files.writeString(blobs.resolve("sha256/README"), "no digest");
        Files.createDirectories(blobs.resolve("sha256/" + "a".repeat(64)));
        Files.createSymbolicLink(blobs.resolve("sha256/" + "b".repeat(64)), Path.of("gone"));
        Files.writeString(root.resolve("ingest/notes.txt"), "no ingest");
        Files.writeString(root.resolve("ingest/" + "c".repeat(64)), "a file named as an ingest");
        writer("r").close();

        open();

        assertThat(list()).containsExactly(digest);
        assertThat(store.statuses(context, List.of()))
                .extracting(IngestStatus::ref)
                .containsExactly("r");
        assertThat(blobs.resolve("notes.txt")).exists();
        assertThat(root.resolve("ingest/notes.txt")).exists();
    }

    @Test
    void whatACrashLeftOfABeginningIngestIsDroppedAtTheNextStart() throws Exception {
        // Killed before the ref was written, after a part of it, and with a name that is not its ref's.
        Files.createDirectories(ingest("one"));
        Files.writeString(ingest("one").resolve("startedat"), "2026-01-01T00:00:00Z");
        Files.createDirectories(ingest("two"));
        Files.writeString(ingest("two").resolve("ref"), "t");
        Files.writeString(ingest("two").resolve("data"), "bytes");
        Files.createDirectories(ingest("three"));
        Files.write(ingest("three").resolve("ref"), new byte[] {(byte) 0xff, (byte) 0xfe});
        writer("whole").close();
        assertThat(store.statuses(context, List.of()))
                .extracting(IngestStatus::ref)
                .containsExactly("whole");

        open();

        try (Stream<Path> left = Files.list(root.resolve("ingest"))) {
            assertThat(left).containsExactly(ingest("whole"));
        }
    }

    @Test
    void anIngestThatIsTornWhileTheStoreRunsIsBegunAnew() throws Exception {
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("old bytes")));
        }
        Files.writeString(ingest("r").resolve("ref"), "");
        assertThatThrownBy(() -> store.status(context, "r")).isInstanceOf(NotFoundException.class);
        try (ContentWriter writer = writer("r")) {
            assertThat(writer.status().offset()).isZero();
            writer.write(ByteBuffer.wrap(bytes("new")));
            writer.commit(3, Optional.of(Digest.sha256(bytes("new"))), Map.of());
        }
    }

    @Test
    void anIngestOfAnotherProgramIsResumedWithoutItsTimes() throws Exception {
        Files.createDirectories(ingest("r"));
        Files.writeString(ingest("r").resolve("ref"), "r");
        Files.writeString(ingest("r").resolve("data"), "hel");
        IngestStatus status = store.status(context, "r");
        assertThat(status.offset()).isEqualTo(3);
        assertThat(status.total()).isZero();
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("lo")));
            writer.commit(5, Optional.of(Digest.sha256(bytes("hello"))), Map.of());
        }
        assertThat(list()).containsExactly(Digest.sha256(bytes("hello")));
    }

    @Test
    void theFolderOfAnAlgorithmIsMadeWhenItsFirstBlobComes() throws Exception {
        assertThat(root.resolve("blobs/sha512")).doesNotExist();
        var digester = Digest.digester("sha512");
        digester.update(bytes("hello"));
        Digest digest = Digest.of("sha512", digester);
        try (ContentWriter writer = writer("r")) {
            writer.write(ByteBuffer.wrap(bytes("hello")));
            writer.commit(5, Optional.of(digest), Map.of());
        }
        assertThat(root.resolve("blobs/sha512").resolve(digest.hex())).hasContent("hello");
    }

    @Test
    void aWriterThatFailsToOpenLeavesNothingLocked() throws Exception {
        Files.createDirectories(ingest("r").getParent());
        Files.writeString(ingest("r"), "a file where the ingest's folder would be");
        assertThatThrownBy(() -> writer("r")).isInstanceOf(UncheckedIOException.class);
        Files.delete(ingest("r"));
        assertThatCode(() -> writer("r").close()).doesNotThrowAnyException();
    }

    @Test
    void anAbortedRefStaysItsWritersUntilThatIsClosed() {
        ContentWriter first = writer("r");
        first.write(ByteBuffer.wrap(bytes("half")));
        store.abort(context, "r");
        assertThat(ingest("r")).doesNotExist();
        assertThatThrownBy(() -> writer("r")).isInstanceOf(UnavailableException.class);
        first.close();
        assertThat(ingest("r")).doesNotExist();
        writer("r").close();
    }

    @Test
    void anOpenReaderOutlivesTheDeletionOfItsBlob() {
        Digest digest = write("hello");
        try (var reader = store.reader(context, digest)) {
            store.delete(context, digest);
            ByteBuffer buffer = ByteBuffer.allocate(10);
            assertThat(reader.read(buffer, 0)).isEqualTo(5);
        }
        assertThat(list()).isEmpty();
    }
}
