package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.IpfsLayout.Ingest;
import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.DagFormatException;
import dev.longshore.ipfs.DagReader;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/**
 * Blobs in IPFS: cut into blocks as Kubo does, each block once, each blob with its CID, which is its label {@link StoreLabels#IPFS_CID}.
 * Other labels are kept by the metadata over this. A blob may be known by its CID only; it is brought here by who reads it first.
 *
 * <p>What is given out was verified: each block against its CID when this process reads it for the first time, each blob against its
 * digest when it is written, or brought here, before its first byte is given out; but to those who verify parts by themselves.
 */
public final class IpfsContentStore implements ContentStore {

    private final IpfsLayout layout;
    private final IngestFiles ingests;
    private final Clock clock;
    private final Upstream upstream;
    private final Traffic traffic;
    private final Optional<NodeCopies> copies;
    private final DiskReserve reserve;
    private final Packs packs;
    private final OpenBlobs open;
    private final Fetches fetches;
    private final PartFetches parts;

    /** Threads of the system: hashing is done by native code. */
    private final ExecutorService hashers = Executors.newFixedThreadPool(
            Runtime.getRuntime().availableProcessors(),
            Thread.ofPlatform().daemon().name("hash-", 0).factory());

    /** Refs that somebody holds. */
    private final Map<String, Hold> held = new ConcurrentHashMap<>();

    /** @param writer empty while it is being opened, or an ingest that nobody writes is being dropped */
    private record Hold(Instant since, Optional<IpfsContentWriter> writer) {}

    /** A store without copies in a node. */
    IpfsContentStore(Path root, Upstream upstream, Traffic traffic, Clock clock) throws IOException {
        this(root, upstream, Optional.empty(), traffic, clock);
    }

    /**
     * Opens what is there, and drops what a crash left half made.
     *
     * @param root made with mode 0700 if it is not there
     * @param copies of all blobs in an IPFS node, closed with this; empty for none
     */
    IpfsContentStore(Path root, Upstream upstream, Optional<NodeCopies> copies, Traffic traffic, Clock clock)
            throws IOException {
        this.layout = new IpfsLayout(root);
        this.ingests = new IngestFiles(layout);
        this.clock = clock;
        this.upstream = upstream;
        this.traffic = traffic;
        for (Path folder : List.of(root, layout.packs(), layout.declarations(), layout.fetches(), layout.ingests())) {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        }
        this.copies = copies;
        this.reserve = new DiskReserve(layout.reserve());
        this.packs = Packs.open(layout, clock, copies);
        this.open = new OpenBlobs(packs);
        this.fetches = new Fetches(layout, packs, upstream, traffic);
        this.parts = new PartFetches(fetches);
        ingests.recover();
        reserve.take();
    }

    /** A store on {@code root} that asks nobody for what it does not have. */
    public static IpfsContentStore embedded(Path root, Clock clock) throws IOException {
        Traffic traffic = new Traffic();
        return new IpfsContentStore(root, new Upstream(List.of(), Duration.ZERO, traffic), traffic, clock);
    }

    /** The blocks of this disk, verified: what a peer may have. */
    BlockSource localBlocks() {
        return fetches::onDisk;
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return info(find(digest));
    }

    private Blob find(Digest digest) {
        return packs.map().find(digest).orElseThrow(() -> new NotFoundException("content digest %s".formatted(digest)));
    }

    private static ContentInfo info(Blob blob) {
        return new ContentInfo(
                blob.digest(),
                blob.size(),
                blob.created(),
                blob.created(),
                Map.of(StoreLabels.IPFS_CID, blob.cid().toString()));
    }

    /** @throws UnimplementedException always: this store has one label, which does not change */
    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        throw new UnimplementedException("content-ipfs keeps no labels of clients: update them in a namespace");
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        Filter filter = Filter.any(filters);
        long last = 0;
        for (List<Blob> page = packs.map().page(last);
                !page.isEmpty();
                page = packs.map().page(last)) {
            for (Blob blob : page) {
                ContentInfo info = info(blob);
                if (filter.matches(Fields.of(info))) {
                    sink.accept(info);
                }
            }
            last = page.getLast().id();
        }
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        try {
            Blob blob = find(digest);
            copies.ifPresent(node -> node.release(digest, blob.cid()));
            parts.forget(digest);
            packs.dropDeclaration(digest);
            try {
                open.delete(blob);
            } catch (ResourceExhaustedException e) {
                reserve.giveUp();
                open.delete(blob);
                reserve.take();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("deleting content " + digest, e);
        }
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        try {
            Optional<StoredBlob> stored = open.acquire(digest, () -> stored(digest));
            if (stored.isEmpty()) {
                bring(find(digest), context.deadline());
                stored = open.acquire(digest, () -> stored(digest));
            }
            return new IpfsReader(
                    stored.orElseThrow(() -> new NotFoundException("content digest %s".formatted(digest))),
                    open,
                    context.deadline());
        } catch (IOException e) {
            throw new UncheckedIOException("opening content " + digest, e);
        }
    }

    @Override
    public ContentReader partReader(CallContext context, Digest digest) {
        try {
            Optional<StoredBlob> stored = open.acquire(digest, () -> stored(digest));
            return stored.isPresent()
                    ? new IpfsReader(stored.get(), open, context.deadline())
                    : new PartReader(find(digest), context.deadline());
        } catch (IOException e) {
            throw new UncheckedIOException("opening content " + digest, e);
        }
    }

    /** Reads a blob that is not here, or not all of it. */
    private final class PartReader implements ContentReader {

        private final Blob blob;
        private final Deadline deadline;

        PartReader(Blob blob, Deadline deadline) {
            this.blob = blob;
            this.deadline = deadline;
        }

        @Override
        public long size() {
            return blob.size();
        }

        @Override
        public int read(ByteBuffer buffer, long offset) {
            return fetching(blob, () -> parts.read(blob, buffer, offset, deadline));
        }

        /** Does nothing: between two reads nothing is open. */
        @Override
        public void close() {}
    }

    private Optional<StoredBlob> stored(Digest digest) throws IOException {
        Blob blob = find(digest);
        return blob.here() ? Optional.of(StoredBlob.open(blob, packs, upstream, layout, traffic)) : Optional.empty();
    }

    private void bring(Blob blob, Deadline deadline) {
        Blob _ = fetching(blob, () -> {
            fetches.bring(blob, deadline);
            return blob;
        });
    }

    private interface Fetching<T> {
        T run() throws IOException;
    }

    private static <T> T fetching(Blob blob, Fetching<T> work) {
        try {
            return work.run();
        } catch (DagFormatException e) {
            throw new DataLossException(
                    "content %s cannot be read from CID %s: %s".formatted(blob.digest(), blob.cid(), e.getMessage()),
                    e);
        } catch (IOException e) {
            throw new UnavailableException(
                    "content %s is not here yet, and cannot be fetched from CID %s: %s; try again"
                            .formatted(blob.digest(), blob.cid(), e.getMessage()),
                    e);
        }
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return ingests.find(layout.ingest(ref)).orElseThrow(() -> missingIngest(ref));
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        Filter filter = Filter.any(filters);
        try {
            return ingests.all().stream()
                    .filter(status -> filter.matches(Fields.of(status)))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("listing ingests", e);
        }
    }

    /** Under the hands of its writer, too, whose calls then fail. */
    @Override
    public void abort(CallContext context, String ref) {
        Ingest ingest = layout.ingest(ref);
        if (ingests.find(ingest).isEmpty()) {
            throw missingIngest(ref);
        }
        Hold mine = new Hold(clock.instant(), Optional.empty());
        Hold other = held.putIfAbsent(ref, mine);
        try {
            if (other == null) {
                ingests.remove(ingest);
            } else {
                other.writer().orElseThrow(() -> locked(ref, other)).abort();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("aborting ingest " + ref, e);
        } finally {
            held.remove(ref, mine);
        }
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        if (request.expected().isPresent()
                && packs.map().find(request.expected().get()).isPresent()) {
            throw new AlreadyExistsException(
                    "content %s".formatted(request.expected().get()));
        }
        Hold opening = new Hold(clock.instant(), Optional.empty());
        Hold other = held.putIfAbsent(request.ref(), opening);
        if (other != null) {
            throw locked(request.ref(), other);
        }
        try {
            IpfsContentWriter writer = open(request, context.deadline());
            held.put(request.ref(), new Hold(opening.since(), Optional.of(writer)));
            return writer;
        } catch (IOException e) {
            throw new UncheckedIOException("opening ingest " + request.ref(), e);
        } finally {
            held.remove(request.ref(), opening); // unless it is the writer's by now
        }
    }

    private IpfsContentWriter open(WriterRequest request, Deadline deadline) throws IOException {
        Ingest ingest = layout.ingest(request.ref());
        Optional<IngestStatus> status = ingests.find(ingest);
        if (status.isEmpty()) {
            Instant now = clock.instant();
            ingests.begin(ingest, request.ref(), request.total(), now);
            status = Optional.of(new IngestStatus(request.ref(), 0, request.total(), Optional.empty(), now, now));
        }
        return new IpfsContentWriter(this, ingest, ingests, request, status.get(), clock, deadline);
    }

    private static UnavailableException locked(String ref, Hold hold) {
        return new UnavailableException(
                "ref \"%s\" has been locked since %s by another writer".formatted(ref, hold.since()));
    }

    private static NotFoundException missingIngest(String ref) {
        return new NotFoundException("ingest \"%s\"".formatted(ref));
    }

    ExecutorService hashers() {
        return hashers;
    }

    /** The end of what {@code writer} holds. */
    void unlock(String ref, IpfsContentWriter writer) {
        held.computeIfPresent(
                ref,
                (key, hold) -> hold.writer().filter(holder -> holder == writer).isPresent() ? null : hold);
    }

    /** Whether the blob and its bytes are here. */
    boolean has(Digest digest) {
        return packs.map().find(digest).filter(Blob::here).isPresent();
    }

    /** Makes a blob of the data of an ingest. */
    void add(Path file, FileChannel data, Digest digest, Cid root, long size, Imported imported) throws IOException {
        packs.add(file, data, digest, root, size, imported.leaves(), imported.nodes());
    }

    /**
     * Takes a blob by its CID, if a source has the root, and the size fits.
     *
     * @param size 0 for the size that its root says
     * @return its size
     * @throws AlreadyExistsException if the blob is known
     * @throws FailedPreconditionException if the root cannot be had, or is not that of a file of that size
     */
    long declare(Digest digest, Cid cid, long size, Deadline deadline) throws IOException {
        DagReader reader;
        try {
            reader = size == 0
                    ? new DagReader(fetches.blocks(), cid, deadline)
                    : fetches.open(digest, cid, size, deadline);
        } catch (IOException | DataLossException e) {
            throw new FailedPreconditionException(
                    "content %s cannot be taken by its CID: %s".formatted(digest, e.getMessage()), e);
        }
        packs.declare(digest, cid, reader.size());
        return reader.size();
    }

    /** Readers and writers that are open belong to their callers. */
    @Override
    public void close() {
        parts.close();
        fetches.close();
        hashers.shutdown();
        open.close();
        packs.close();
        copies.ifPresent(NodeCopies::close);
    }
}
