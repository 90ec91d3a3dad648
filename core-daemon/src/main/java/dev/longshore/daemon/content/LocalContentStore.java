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
import java.nio.charset.StandardCharsets;
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

    /** Refs that a writer holds, and since when. */
    private final Map<String, Instant> locked = new ConcurrentHashMap<>();

    /** @param root made with mode 0700 if it is not there */
    public LocalContentStore(Path root, Clock clock) throws IOException {
        this.layout = new ContentLayout(root);
        this.clock = clock;
        for (Path folder : List.of(root, layout.blobs(), layout.blobs("sha256"), layout.ingests())) {
            makeFolder(folder);
        }
    }

    private static void makeFolder(Path folder) throws IOException {
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
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
                list(algorithm, info -> {
                    if (filter.matches(Fields.of(info))) {
                        sink.accept(info);
                    }
                });
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
                    continue; // a stranger's file is not ours to list or to remove
                }
                try {
                    sink.accept(info(digest, Files.readAttributes(blob, BasicFileAttributes.class)));
                } catch (NoSuchFileException e) {
                    log.atDebug().addKeyValue("digest", digest).log("content was deleted while content was listed");
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
            for (Path ingest : ingests.toList()) {
                status(ingest)
                        .filter(status -> filter.matches(Fields.of(status)))
                        .ifPresent(statuses::add);
            }
            return statuses;
        } catch (IOException e) {
            throw new UncheckedIOException("listing ingests", e);
        }
    }

    /** Empty if there is no such ingest, or a crash left it before it had its ref. */
    private static Optional<IngestStatus> status(Path ingest) {
        try {
            String ref = Files.readString(ContentLayout.ref(ingest));
            Path data = ContentLayout.data(ingest);
            Instant created = Files.readAttributes(ingest, BasicFileAttributes.class)
                    .creationTime()
                    .toInstant();
            return Optional.of(new IngestStatus(
                    ref,
                    Files.exists(data) ? Files.size(data) : 0,
                    readLong(ContentLayout.total(ingest)),
                    Optional.empty(),
                    readTime(ContentLayout.startedAt(ingest)).orElse(created),
                    readTime(ContentLayout.updatedAt(ingest)).orElse(created)));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("reading ingest " + ingest, e);
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

    @Override
    public void abort(CallContext context, String ref) {
        Path ingest = layout.ingest(ref);
        if (!Files.exists(ingest)) {
            throw missingIngest(ref);
        }
        lock(ref);
        try {
            removeIngest(ingest);
        } catch (IOException e) {
            throw new UncheckedIOException("aborting ingest " + ref, e);
        } finally {
            unlock(ref);
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
        lock(request.ref());
        try {
            Path ingest = layout.ingest(request.ref());
            if (!Files.exists(ContentLayout.ref(ingest))) {
                begin(ingest, request);
            }
            String algorithm = request.expected().map(Digest::algorithm).orElse("sha256");
            makeFolder(layout.blobs(algorithm));
            return new LocalContentWriter(
                    this, layout, request, algorithm, status(ingest).orElseThrow(), clock);
        } catch (IOException e) {
            unlock(request.ref());
            throw new UncheckedIOException("opening ingest " + request.ref(), e);
        } catch (RuntimeException e) {
            unlock(request.ref());
            throw e;
        }
    }

    /** The ref comes last: an ingest without it is none. */
    private void begin(Path ingest, WriterRequest request) throws IOException {
        makeFolder(ingest);
        String now = clock.instant().toString();
        Files.writeString(ContentLayout.startedAt(ingest), now);
        Files.writeString(ContentLayout.updatedAt(ingest), now);
        Files.writeString(ContentLayout.total(ingest), Long.toString(request.total()));
        Files.write(ContentLayout.data(ingest), new byte[0]);
        DurableFiles.write(ContentLayout.ref(ingest), request.ref().getBytes(StandardCharsets.UTF_8));
    }

    private void lock(String ref) {
        Instant since = locked.putIfAbsent(ref, clock.instant());
        if (since != null) {
            throw new UnavailableException(
                    "ref \"%s\" has been locked since %s by another writer".formatted(ref, since));
        }
    }

    void unlock(String ref) {
        locked.remove(ref);
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
