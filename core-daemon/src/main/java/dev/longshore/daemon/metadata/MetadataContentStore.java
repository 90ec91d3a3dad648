package dev.longshore.daemon.metadata;

import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.namespace.NamespaceId;
import java.nio.ByteBuffer;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The content store as clients know it: blobs and ingests in namespaces, with labels, over a backend that keeps each blob
 * once. The backend's refs are {@code <namespace>/<number>/<ref>}. Deletion only forgets, and the garbage collector removes.
 */
public final class MetadataContentStore implements ContentStore {

    private static final Logger log = LoggerFactory.getLogger(MetadataContentStore.class);

    /** Characters; containerd's database takes no longer keys. */
    private static final int MAX_REF_LENGTH = 32768;

    /** Bytes at once when a blob is copied. */
    private static final int COPY_BUFFER = 1 << 20;

    private static final String SHAREABLE = "containerd.io/namespace.shareable";

    /** How long an ingest is kept that no lease keeps. */
    private static final Duration INGEST_LIFE = Duration.ofHours(24);

    private final ContentStore backend;
    private final SharingPolicy policy;
    private final Database database;
    private final Clock clock;
    private final BlobHolds holds = new BlobHolds();

    private record IngestRow(String backendRef, String expected) {}

    MetadataContentStore(ContentStore backend, SharingPolicy policy, Database database, Clock clock) {
        this.backend = backend;
        this.policy = policy;
        this.database = database;
        this.clock = clock;
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        NamespaceId namespace = context.requireNamespace();
        return database.read(tx -> require(tx, namespace, digest));
    }

    private static ContentInfo require(Tx tx, NamespaceId namespace, Digest digest) throws SQLException {
        return find(tx, namespace, digest)
                .orElseThrow(() -> new NotFoundException("content digest %s".formatted(digest)));
    }

    private static Optional<ContentInfo> find(Tx tx, NamespaceId namespace, Digest digest) throws SQLException {
        return tx.first(
                "SELECT * FROM blob WHERE namespace = ? AND digest = ?",
                MetadataContentStore::blob,
                namespace.value(),
                digest.toString());
    }

    private static ContentInfo blob(ResultSet row) throws SQLException {
        return new ContentInfo(
                Digest.parse(row.getString("digest")),
                row.getLong("size"),
                Tx.instant(row, "created"),
                Tx.instant(row, "updated"),
                TextMap.read(row.getString("labels")));
    }

    private static void put(Tx tx, NamespaceId namespace, ContentInfo info) throws SQLException {
        tx.update(
                """
                INSERT OR REPLACE INTO blob (namespace, digest, size, labels, created, updated)
                VALUES (?, ?, ?, ?, ?, ?)""",
                namespace.value(),
                info.digest().toString(),
                info.size(),
                TextMap.write(info.labels()),
                info.created(),
                info.updated());
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        NamespaceId namespace = context.requireNamespace();
        return database.write(tx -> {
            ContentInfo current = require(tx, namespace, info.digest());
            ContentInfo updated = new ContentInfo(
                    current.digest(),
                    current.size(),
                    current.created(),
                    clock.instant(),
                    Labels.update(current.labels(), info.labels(), fieldPaths));
            put(tx, namespace, updated);
            tx.leavesGarbage();
            return updated;
        });
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        NamespaceId namespace = context.requireNamespace();
        Filter filter = Filter.any(filters);
        database
                .read(tx -> tx.query(
                        "SELECT * FROM blob WHERE namespace = ? ORDER BY digest",
                        MetadataContentStore::blob,
                        namespace.value()))
                .stream()
                .filter(info -> filter.matches(Fields.of(info)))
                .forEach(sink);
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        NamespaceId namespace = context.requireNamespace();
        database.write(tx -> {
            require(tx, namespace, digest);
            tx.update("DELETE FROM blob WHERE namespace = ? AND digest = ?", namespace.value(), digest.toString());
            LeaseStore.drop(tx, namespace, new LeaseResource(LeaseResource.CONTENT, digest.toString()));
            tx.leavesGarbage();
            return true;
        });
    }

    /** @throws DataLossException if the backend has not as many bytes as were committed */
    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        ContentInfo info = info(context, digest);
        ContentReader reader = backend.reader(context, digest);
        if (reader.size() != info.size()) {
            long size = reader.size();
            reader.close();
            throw new DataLossException(
                    "content %s is damaged: %d of its %d bytes are there; delete it and fetch it again"
                            .formatted(digest, size, info.size()));
        }
        return reader;
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        NamespaceId namespace = context.requireNamespace();
        IngestRow row = database.read(tx -> ingest(tx, namespace, ref))
                .orElseThrow(() -> new NotFoundException("ingest \"%s\"".formatted(ref)));
        return status(context, ref, row);
    }

    private IngestStatus status(CallContext context, String ref, IngestRow row) {
        if (!row.expected().isEmpty()) {
            ContentInfo info = backend.info(context, Digest.parse(row.expected()));
            return new IngestStatus(
                    ref, info.size(), info.size(), Optional.of(info.digest()), info.created(), info.updated());
        }
        return named(ref, backend.status(context, row.backendRef()));
    }

    private static IngestStatus named(String ref, IngestStatus status) {
        return new IngestStatus(
                ref, status.offset(), status.total(), status.expected(), status.started(), status.updated());
    }

    private static Optional<IngestRow> ingest(Tx tx, NamespaceId namespace, String ref) throws SQLException {
        return tx.first(
                "SELECT backend_ref, expected FROM ingest WHERE namespace = ? AND ref = ?",
                row -> new IngestRow(row.getString(1), row.getString(2)),
                namespace.value(),
                ref);
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        NamespaceId namespace = context.requireNamespace();
        Filter filter = Filter.any(filters);
        List<String> refs = database.read(tx -> tx.query(
                "SELECT ref FROM ingest WHERE namespace = ? ORDER BY ref", row -> row.getString(1), namespace.value()));
        List<IngestStatus> statuses = new ArrayList<>();
        for (String ref : refs) {
            try {
                IngestStatus status = status(context, ref);
                if (filter.matches(Fields.of(status))) {
                    statuses.add(status);
                }
            } catch (NotFoundException e) {
                log.atDebug().addKeyValue("ref", ref).log("ingest ended while ingests were listed");
            }
        }
        return statuses;
    }

    @Override
    public void abort(CallContext context, String ref) {
        NamespaceId namespace = context.requireNamespace();
        IngestRow row;
        try {
            row = forget(namespace, ref);
        } catch (ResourceExhaustedException e) {
            // The disk is full, and this is how somebody makes space.
            database.read(tx -> ingest(tx, namespace, ref)).ifPresent(full -> abortIfThere(context, full.backendRef()));
            row = forget(namespace, ref);
        }
        abortIfThere(context, row.backendRef());
    }

    private IngestRow forget(NamespaceId namespace, String ref) {
        return database.write(tx -> {
            IngestRow found =
                    ingest(tx, namespace, ref).orElseThrow(() -> new NotFoundException("ingest \"%s\"".formatted(ref)));
            forget(tx, namespace, ref);
            tx.leavesGarbage(); // if the backend cannot be asked now
            return found;
        });
    }

    private void abortIfThere(CallContext context, String backendRef) {
        try {
            backend.abort(context, backendRef);
        } catch (NotFoundException e) {
            log.atDebug().addKeyValue("ref", backendRef).log("nothing had been written to the ingest");
        }
    }

    private static void forget(Tx tx, NamespaceId namespace, String ref) throws SQLException {
        tx.update("DELETE FROM ingest WHERE namespace = ? AND ref = ?", namespace.value(), ref);
        LeaseStore.drop(tx, namespace, new LeaseResource(LeaseResource.INGESTS, ref));
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        NamespaceId namespace = context.requireNamespace();
        if (request.ref().length() > MAX_REF_LENGTH) {
            throw new InvalidArgumentException("a ref must have at most %d characters, not %d: \"%.64s...\""
                    .formatted(MAX_REF_LENGTH, request.ref().length(), request.ref()));
        }
        if (request.expected().isPresent()
                && leaseExisting(context, namespace, request.expected().get())) {
            throw new AlreadyExistsException(
                    "content %s".formatted(request.expected().get()));
        }
        if (request.expected().isEmpty()) {
            return open(context, namespace, request, Optional.empty());
        }
        // The blob may be garbage: held until the row of the ingest keeps it.
        Digest digest = request.expected().get();
        holds.hold(digest, context.deadline());
        try {
            Optional<ContentInfo> shared =
                    shared(context, digest).filter(info -> request.total() == 0 || request.total() == info.size());
            return open(context, namespace, request, shared);
        } finally {
            holds.release(digest);
        }
    }

    private ContentWriter open(
            CallContext context, NamespaceId namespace, WriterRequest request, Optional<ContentInfo> shared) {
        String expected = shared.map(info -> info.digest().toString()).orElse("");
        IngestRow row = database.write(tx -> {
            Namespaces.ensure(tx, namespace);
            LeaseStore.addFromContext(tx, context, new LeaseResource(LeaseResource.INGESTS, request.ref()));
            Optional<IngestRow> existing = ingest(tx, namespace, request.ref());
            String backendRef = existing.isPresent()
                    ? existing.get().backendRef()
                    : namespace + "/" + tx.next("ingest/" + namespace) + "/" + request.ref();
            tx.update(
                    "INSERT OR REPLACE INTO ingest (namespace, ref, backend_ref, expected, expires) VALUES (?, ?, ?, ?, ?)",
                    namespace.value(),
                    request.ref(),
                    backendRef,
                    expected,
                    context.lease().isPresent()
                            ? ""
                            : clock.instant().plus(INGEST_LIFE).toString());
            return new IngestRow(backendRef, expected);
        });
        NamespacedWriter writer = new NamespacedWriter(context, namespace, request, row.backendRef(), shared);
        if (shared.isEmpty()) {
            writer.open();
        }
        return writer;
    }

    /** Whether the namespace has the blob; the lease of the call then keeps it. */
    private boolean leaseExisting(CallContext context, NamespaceId namespace, Digest digest) {
        if (context.lease().isEmpty()) {
            return database.read(tx -> find(tx, namespace, digest)).isPresent();
        }
        return database.write(tx -> {
            boolean exists = find(tx, namespace, digest).isPresent();
            if (exists) {
                LeaseStore.addFromContext(tx, context, new LeaseResource(LeaseResource.CONTENT, digest.toString()));
            }
            return exists;
        });
    }

    /** The blob as another namespace brought it, if the policy lets this one have it for knowing its digest. */
    private Optional<ContentInfo> shared(CallContext context, Digest digest) {
        if (policy == SharingPolicy.ISOLATED && !inShareableNamespace(digest)) {
            return Optional.empty();
        }
        try {
            return Optional.of(backend.info(context, digest));
        } catch (NotFoundException e) {
            return Optional.empty();
        }
    }

    private boolean inShareableNamespace(Digest digest) {
        return database.read(tx -> tx.query("""
                        SELECT namespace.labels FROM namespace JOIN blob ON blob.namespace = namespace.name
                        WHERE blob.digest = ?""", row -> TextMap.read(row.getString(1)), digest.toString())).stream()
                .anyMatch(labels -> "true".equals(labels.get(SHAREABLE)));
    }

    /**
     * Removes the blobs and ingests that the backend has and no row names. An ingest that stands for a blob names it. To be called for one run at a time.
     *
     * @return how many blobs were removed
     */
    public int removeGarbage(CallContext context) {
        Set<Digest> blobs = new HashSet<>();
        backend.list(context, List.of(), info -> blobs.add(info.digest()));
        int removed = 0;
        for (Digest digest : blobs) {
            if (isReferenced(digest) || !holds.beginRemoval(digest)) {
                continue;
            }
            try {
                if (!isReferenced(digest)) {
                    backend.delete(context, digest);
                    removed++;
                }
            } catch (NotFoundException e) {
                log.atDebug().addKeyValue("digest", digest).log("content was gone already");
            } finally {
                holds.endRemoval(digest);
            }
        }
        List<IngestStatus> ingests = backend.statuses(context, List.of());
        // Read after the list: every ingest that the backend had by then got its row before.
        Set<String> known =
                Set.copyOf(database.read(tx -> tx.query("SELECT backend_ref FROM ingest", row -> row.getString(1))));
        for (IngestStatus ingest : ingests) {
            if (!known.contains(ingest.ref())) {
                abortIfThere(context, ingest.ref());
            }
        }
        return removed;
    }

    private boolean isReferenced(Digest digest) {
        return database.read(tx -> tx.exists("SELECT 1 FROM blob WHERE digest = ? LIMIT 1", digest.toString())
                || tx.exists("SELECT 1 FROM ingest WHERE expected = ? LIMIT 1", digest.toString()));
    }

    @Override
    public void close() {
        backend.close();
    }

    /**
     * Writes an ingest of a namespace. While it stands for a blob that is there already it has no writer at the
     * backend: committing it costs a row, and only writing to it opens one.
     */
    private final class NamespacedWriter implements ContentWriter {

        private final CallContext context;
        private final NamespaceId namespace;
        private final WriterRequest request;
        private final String backendRef;
        private Optional<ContentInfo> shared;
        private Optional<ContentWriter> writer = Optional.empty();
        private Optional<Digest> committed = Optional.empty();

        NamespacedWriter(
                CallContext context,
                NamespaceId namespace,
                WriterRequest request,
                String backendRef,
                Optional<ContentInfo> shared) {
            this.context = context;
            this.namespace = namespace;
            this.request = request;
            this.backendRef = backendRef;
            this.shared = shared;
        }

        void open() {
            // Without the digest: the backend may have the blob although this namespace must bring it.
            writer = Optional.of(
                    backend.writer(context, new WriterRequest(backendRef, request.total(), Optional.empty())));
        }

        private ContentWriter opened() {
            return writer.orElseThrow(() -> new IllegalStateException("ingest of " + backendRef + " is not open"));
        }

        /** Goes on with an ingest of its own, which begins with the blob's first {@code size} bytes. */
        private void unshare(ContentInfo info, long size) {
            open();
            if (size > 0) {
                copy(info, size);
            }
            shared = Optional.empty();
            database.write(tx -> tx.update(
                    "UPDATE ingest SET expected = '' WHERE namespace = ? AND ref = ?",
                    namespace.value(),
                    request.ref()));
        }

        private void copy(ContentInfo info, long size) {
            try (ContentReader reader = backend.reader(context, info.digest())) {
                opened().truncate(0); // an earlier copy may have been left half done
                ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(COPY_BUFFER, size));
                for (long position = 0; position < size; ) {
                    buffer.clear().limit((int) Math.min(buffer.capacity(), size - position));
                    if (reader.read(buffer, position) < 0) {
                        throw new DataLossException(
                                "content %s ends at %d of %d bytes".formatted(info.digest(), position, info.size()));
                    }
                    position += buffer.position();
                    opened().write(buffer.flip());
                }
            } catch (RuntimeException e) {
                opened().close();
                writer = Optional.empty();
                throw e;
            }
        }

        @Override
        public IngestStatus status() {
            if (shared.isPresent()) {
                ContentInfo info = shared.get();
                return new IngestStatus(
                        request.ref(),
                        info.size(),
                        info.size(),
                        Optional.of(info.digest()),
                        info.created(),
                        info.updated());
            }
            IngestStatus status = named(request.ref(), opened().status());
            return new IngestStatus(
                    status.ref(),
                    status.offset(),
                    status.total(),
                    request.expected().or(status::expected),
                    status.started(),
                    status.updated());
        }

        @Override
        public Digest digest() {
            return committed.or(() -> shared.map(ContentInfo::digest)).orElseGet(() -> opened().digest());
        }

        @Override
        public Optional<ContentReader> written() {
            return writer.flatMap(ContentWriter::written);
        }

        /** What follows a blob that is there already makes another one of it. */
        @Override
        public void write(ByteBuffer data) {
            if (!data.hasRemaining()) {
                return;
            }
            shared.ifPresent(info -> unshare(info, info.size()));
            opened().write(data);
        }

        @Override
        public void truncate(long size) {
            if (shared.isEmpty()) {
                opened().truncate(size);
                return;
            }
            ContentInfo info = shared.get();
            if (size < 0 || size > info.size()) {
                throw new InvalidArgumentException("ingest \"%s\" has %d bytes and cannot be truncated to %d"
                        .formatted(request.ref(), info.size(), size));
            }
            if (size < info.size()) {
                unshare(info, size);
            }
        }

        @Override
        public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
            try {
                Labels.check(labels);
                Optional<Digest> wanted = expected.or(request::expected);
                Digest digest = wanted.filter(named -> shared.isEmpty()).orElseGet(this::digest);
                holds.hold(digest, context.deadline());
                try {
                    if (shared.isPresent()) {
                        checkShared(size, wanted);
                    } else {
                        commitAtBackend(size, wanted, digest, StoreLabels.of(labels));
                    }
                    ContentInfo stored = backend.info(context, digest); // there, and held
                    Map<String, String> all = new HashMap<>(labels);
                    all.putAll(StoreLabels.of(stored.labels()));
                    record(digest, stored.size(), all);
                    committed = Optional.of(digest);
                } finally {
                    holds.release(digest);
                }
            } finally {
                close();
            }
        }

        private void checkShared(long size, Optional<Digest> expected) {
            ContentInfo info = shared.orElseThrow();
            if (size != 0 && size != info.size()) {
                throw new FailedPreconditionException(
                        "content %s has %d bytes, not %d".formatted(info.digest(), info.size(), size));
            }
            if (expected.isPresent() && !expected.get().equals(info.digest())) {
                throw new FailedPreconditionException(
                        "content has digest %s, not %s".formatted(info.digest(), expected.get()));
            }
        }

        private void commitAtBackend(long size, Optional<Digest> expected, Digest digest, Map<String, String> labels) {
            try {
                opened().commit(size, expected, labels);
            } catch (AlreadyExistsException e) {
                log.atDebug()
                        .addKeyValue("digest", digest)
                        .log("content is of another namespace, or garbage that is held now");
            }
        }

        private void record(Digest digest, long size, Map<String, String> labels) {
            boolean added = database.write(tx -> {
                boolean absent = find(tx, namespace, digest).isEmpty();
                if (absent) {
                    Instant now = clock.instant();
                    put(tx, namespace, new ContentInfo(digest, size, now, now, labels));
                }
                forget(tx, namespace, request.ref());
                LeaseStore.addFromContext(tx, context, new LeaseResource(LeaseResource.CONTENT, digest.toString()));
                return absent;
            });
            if (!added) {
                throw new AlreadyExistsException("content %s".formatted(digest));
            }
        }

        @Override
        public void close() {
            writer.ifPresent(ContentWriter::close);
        }
    }
}
