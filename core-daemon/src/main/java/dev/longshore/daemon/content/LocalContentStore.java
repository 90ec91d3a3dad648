package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.MalformedInputException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Blobs as files, in the layout of containerd's own store. Labels are kept by the metadata over it, not here.
 *
 * <p>One daemon at a time uses a folder: locks on refs are in memory.
 */
public final class LocalContentStore implements ContentStore {

    private static final Logger log = LoggerFactory.getLogger(LocalContentStore.class);

    private final ContentLayout layout;
    private final Clock clock;

    /** Refs that somebody holds. */
    private final Map<String, Hold> held = new ConcurrentHashMap<>();

    /** @param writer empty while it is being opened, or an ingest that nobody writes is being dropped */
    private record Hold(Instant since, Optional<LocalContentWriter> writer) {}

    /**
     * Drops what a crash left half made.
     *
     * @param root made with mode 0700 if it is not there
     */
    public LocalContentStore(Path root, Clock clock) throws IOException {
        this.layout = new ContentLayout(root);
        this.clock = clock;
        makeFolder(root);
        makeFolder(layout.blobs());
        makeBlobFolder("sha256");
        makeFolder(layout.ingests());
        try (Stream<Path> ingests = Files.list(layout.ingests())) {
            for (Path ingest : ingests.toList()) {
                if (layout.isIngest(ingest) && status(ingest).isEmpty()) {
                    log.atInfo().addKeyValue("ref", ingest.getFileName()).log("dropping an ingest that had just begun");
                    removeIngest(ingest);
                }
            }
        }
    }

    private static void makeFolder(Path folder) throws IOException {
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** The folder of an algorithm's blobs; its own name is on the disk, too, before a blob in it is acknowledged. */
    void makeBlobFolder(String algorithm) throws IOException {
        Path folder = layout.blobs(algorithm);
        if (!Files.exists(folder)) {
            makeFolder(folder);
            DurableFiles.syncFolder(layout.blobs());
            DurableFiles.syncFolder(layout.root());
        }
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        try {
            return info(digest, Files.readAttributes(layout.blob(digest), BasicFileAttributes.class));
        } catch (NoSuchFileException e) {
            throw missing(digest);
        } catch (IOException e) {
            throw new UncheckedIOException("reading content " + digest, e);
        }
    }

    private static ContentInfo info(Digest digest, BasicFileAttributes attributes) {
        Instant modified = attributes.lastModifiedTime().toInstant();
        return new ContentInfo(digest, attributes.size(), modified, modified, Map.of());
    }

    /** @throws UnimplementedException always: this store has no labels */
    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        throw new UnimplementedException("the local content store keeps no labels: update them in a namespace");
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        Filter filter = Filter.any(filters);
        try (DirectoryStream<Path> algorithms = Files.newDirectoryStream(layout.blobs())) {
            for (Path algorithm : algorithms) {
                if (Files.isDirectory(algorithm)) { // a stranger's file is not ours to list or to remove
                    list(algorithm, info -> {
                        if (filter.matches(Fields.of(info))) {
                            sink.accept(info);
                        }
                    });
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("listing content", e);
        }
    }

    private static void list(Path algorithm, Consumer<ContentInfo> sink) throws IOException {
        try (DirectoryStream<Path> blobs = Files.newDirectoryStream(algorithm)) {
            for (Path blob : blobs) {
                Digest digest;
                try {
                    digest = new Digest(
                            algorithm.getFileName().toString(),
                            blob.getFileName().toString());
                } catch (InvalidArgumentException e) {
                    continue; // a stranger's, too
                }
                BasicFileAttributes attributes;
                try {
                    attributes = Files.readAttributes(blob, BasicFileAttributes.class);
                } catch (NoSuchFileException e) {
                    log.atDebug().addKeyValue("digest", digest).log("content was deleted while content was listed");
                    continue;
                }
                if (attributes.isRegularFile()) {
                    sink.accept(info(digest, attributes));
                }
            }
        }
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        try {
            Files.delete(layout.blob(digest));
        } catch (NoSuchFileException e) {
            throw missing(digest);
        } catch (IOException e) {
            throw new UncheckedIOException("deleting content " + digest, e);
        }
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        try {
            return new FileReader(FileChannel.open(layout.blob(digest), StandardOpenOption.READ));
        } catch (NoSuchFileException e) {
            throw missing(digest);
        } catch (IOException e) {
            throw new UncheckedIOException("opening content " + digest, e);
        }
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return status(layout.ingest(ref)).orElseThrow(() -> missingIngest(ref));
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        Filter filter = Filter.any(filters);
        try (Stream<Path> ingests = Files.list(layout.ingests())) {
            List<IngestStatus> statuses = new ArrayList<>();
            for (Path ingest : ingests.filter(layout::isIngest).toList()) {
                status(ingest)
                        .filter(status -> filter.matches(Fields.of(status)))
                        .ifPresent(statuses::add);
            }
            return statuses;
        } catch (IOException e) {
            throw new UncheckedIOException("listing ingests", e);
        }
    }

    /** Empty if there is no such ingest, or a crash left it before all of its ref was on the disk. */
    private Optional<IngestStatus> status(Path ingest) {
        try {
            String ref = Files.readString(ContentLayout.ref(ingest));
            if (!layout.ingest(ref).equals(ingest)) {
                return Optional.empty();
            }
            Instant created = Files.readAttributes(ingest, BasicFileAttributes.class)
                    .creationTime()
                    .toInstant();
            Optional<BasicFileAttributes> data = attributes(ContentLayout.data(ingest));
            Instant updated = readTime(ContentLayout.updatedAt(ingest)).orElse(created);
            // The file is written when the writer closes, so the data may have changed later.
            Instant modified =
                    data.map(file -> file.lastModifiedTime().toInstant()).orElse(updated);
            return Optional.of(new IngestStatus(
                    ref,
                    data.map(BasicFileAttributes::size).orElse(0L),
                    readLong(ContentLayout.total(ingest)),
                    Optional.empty(),
                    readTime(ContentLayout.startedAt(ingest)).orElse(created),
                    modified.isAfter(updated) ? modified : updated));
        } catch (NoSuchFileException | MalformedInputException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("reading ingest " + ingest, e);
        }
    }

    private static Optional<BasicFileAttributes> attributes(Path file) throws IOException {
        try {
            return Optional.of(Files.readAttributes(file, BasicFileAttributes.class));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static long readLong(Path file) throws IOException {
        try {
            return Long.parseLong(Files.readString(file).strip());
        } catch (NoSuchFileException | NumberFormatException e) {
            return 0; // not known, or not written before a crash
        }
    }

    private static Optional<Instant> readTime(Path file) throws IOException {
        try {
            return Optional.of(
                    OffsetDateTime.parse(Files.readString(file).strip()).toInstant());
        } catch (NoSuchFileException | DateTimeParseException e) {
            return Optional.empty(); // not written before a crash
        }
    }

    /** Under the hands of its writer, too, whose calls then fail. */
    @Override
    public void abort(CallContext context, String ref) {
        Path ingest = layout.ingest(ref);
        if (!Files.exists(ingest)) {
            throw missingIngest(ref);
        }
        Hold mine = new Hold(clock.instant(), Optional.empty());
        Hold other = held.putIfAbsent(ref, mine);
        try {
            if (other == null) {
                removeIngest(ingest);
            } else {
                other.writer().orElseThrow(() -> locked(ref, other)).abort();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("aborting ingest " + ref, e);
        } finally {
            held.remove(ref, mine);
        }
    }

    static void removeIngest(Path ingest) throws IOException {
        try (Stream<Path> files = Files.list(ingest)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException e) {
            return;
        }
        Files.deleteIfExists(ingest);
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        if (request.expected().isPresent()
                && Files.exists(layout.blob(request.expected().get()))) {
            throw new AlreadyExistsException(
                    "content %s".formatted(request.expected().get()));
        }
        Hold opening = new Hold(clock.instant(), Optional.empty());
        Hold other = held.putIfAbsent(request.ref(), opening);
        if (other != null) {
            throw locked(request.ref(), other);
        }
        try {
            LocalContentWriter writer = open(request);
            held.put(request.ref(), new Hold(opening.since(), Optional.of(writer)));
            return writer;
        } catch (IOException e) {
            throw new UncheckedIOException("opening ingest " + request.ref(), e);
        } finally {
            held.remove(request.ref(), opening); // unless it is the writer's by now
        }
    }

    private LocalContentWriter open(WriterRequest request) throws IOException {
        Path ingest = layout.ingest(request.ref());
        Optional<IngestStatus> status = status(ingest);
        if (status.isEmpty()) {
            begin(ingest, request);
            status = status(ingest);
        }
        return new LocalContentWriter(
                this,
                layout,
                request,
                status.orElseThrow(() -> new IOException("ingest %s vanished".formatted(ingest))),
                clock);
    }

    /**
     * The ref comes last: an ingest without all of it is none. Nothing is synced, since nothing has been acknowledged; what a
     * power cut leaves of it is checked against the folder's name.
     */
    private void begin(Path ingest, WriterRequest request) throws IOException {
        makeFolder(ingest);
        try {
            String now = clock.instant().toString();
            Files.writeString(ContentLayout.startedAt(ingest), now);
            Files.writeString(ContentLayout.updatedAt(ingest), now);
            Files.writeString(ContentLayout.total(ingest), Long.toString(request.total()));
            Files.write(ContentLayout.data(ingest), new byte[0]);
            Files.writeString(ContentLayout.ref(ingest), request.ref());
        } catch (IOException e) {
            removeIngest(ingest);
            throw e;
        }
    }

    private static UnavailableException locked(String ref, Hold hold) {
        return new UnavailableException(
                "ref \"%s\" has been locked since %s by another writer".formatted(ref, hold.since()));
    }

    /** The end of what {@code writer} holds. */
    void unlock(String ref, LocalContentWriter writer) {
        held.computeIfPresent(
                ref,
                (key, hold) -> hold.writer().filter(holder -> holder == writer).isPresent() ? null : hold);
    }

    private static NotFoundException missing(Digest digest) {
        return new NotFoundException("content digest %s".formatted(digest));
    }

    private static NotFoundException missingIngest(String ref) {
        return new NotFoundException("ingest \"%s\"".formatted(ref));
    }

    /** Does nothing: writers that are open belong to their callers. */
    @Override
    public void close() {}
}
