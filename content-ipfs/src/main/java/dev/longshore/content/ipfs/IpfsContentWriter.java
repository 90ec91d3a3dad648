package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.IpfsLayout.Ingest;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Appends to the data of an ingest, cutting it into blocks and computing the digest of the whole on the way. Whoever aborts the ingest
 * meanwhile does so between two calls of the writer; those that follow fail.
 */
final class IpfsContentWriter implements ContentWriter {

    private static final int REHASH_BUFFER = 1 << 20;

    /** Bytes that take longer to hash than another thread takes to begin. */
    private static final int WORTH_A_THREAD = 128 << 10;

    private final IpfsContentStore store;
    private final Ingest ingest;
    private final IngestFiles files;
    private final WriterRequest request;
    private final IngestStatus opened;
    private final Clock clock;

    /** Of the call that opened the writer. */
    private final Deadline deadline;

    private final FileChannel data;

    /** Between the writer's thread and one that aborts. */
    private final ReentrantLock lock = new ReentrantLock();

    private String algorithm;
    private MessageDigest digester;
    private Imported imported = new Imported();

    /** Empty as long as all is one chunk, whose hash may be the blob's digest. */
    private Optional<FileImporter> importer = Optional.empty();

    private long offset;
    private Instant updated;
    private Optional<Digest> committed = Optional.empty();
    private boolean aborted;
    private boolean closed;

    /** Reads what the ingest has already, to take its hashes up. The caller holds the ref, which goes over to this. */
    IpfsContentWriter(
            IpfsContentStore store,
            Ingest ingest,
            IngestFiles files,
            WriterRequest request,
            IngestStatus opened,
            Clock clock,
            Deadline deadline)
            throws IOException {
        this.store = store;
        this.ingest = ingest;
        this.files = files;
        this.request = request;
        this.opened = opened;
        this.clock = clock;
        this.deadline = deadline;
        this.algorithm = request.expected().map(Digest::algorithm).orElse("sha256");
        this.digester = Digest.digester(algorithm);
        this.updated = opened.updated();
        this.data = FileChannel.open(ingest.data(), StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            if (opened.offset() > 0) {
                rehash(data.size());
            }
        } catch (IOException e) {
            data.close();
            throw e;
        }
    }

    /** Computes everything from the first {@code size} bytes of the file. */
    private void rehash(long size) throws IOException {
        digester = Digest.digester(algorithm);
        imported = new Imported();
        importer = Optional.empty();
        offset = 0;
        while (offset < size) {
            hash(Pack.readAt(data, offset, (int) Math.min(REHASH_BUFFER, size - offset)));
        }
    }

    /** Takes what the file has at the offset. */
    private void hash(ByteBuffer bytes) throws IOException {
        long end = offset + bytes.remaining();
        if (importer.isEmpty() && end > FileImporter.CHUNK) {
            importer = Optional.of(beginImport());
        }
        if (importer.isEmpty()) {
            digester.update(bytes);
        } else if (bytes.remaining() < WORTH_A_THREAD) {
            digester.update(bytes.duplicate());
            importer.get().add(bytes);
        } else {
            hashTwice(importer.get(), bytes);
        }
        offset = end;
    }

    /** Hashes the blocks on another thread while this one hashes the whole. */
    private void hashTwice(FileImporter blocks, ByteBuffer bytes) throws IOException {
        ByteBuffer same = bytes.duplicate();
        Future<Boolean> cut = store.hashers().submit(() -> {
            blocks.add(same);
            return true;
        });
        digester.update(bytes);
        try {
            boolean _ = cut.get();
        } catch (ExecutionException e) {
            throw new IOException("cutting ingest \"%s\" into blocks".formatted(request.ref()), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while writing ingest " + request.ref());
        }
    }

    /** Cuts what is before the offset, one chunk at most. */
    private FileImporter beginImport() throws IOException {
        FileImporter begun = new FileImporter(imported);
        begun.add(Pack.readAt(data, 0, (int) offset));
        return begun;
    }

    private Cid root(Digest digest) throws IOException {
        if (importer.isEmpty() && digest.algorithm().equals("sha256")) {
            Cid cid = Cid.raw(digest);
            imported.leaf(cid, 0, (int) offset);
            return cid;
        }
        return (importer.isPresent() ? importer.get() : beginImport()).finish();
    }

    @Override
    public IngestStatus status() {
        return new IngestStatus(
                request.ref(),
                offset,
                request.total() != 0 ? request.total() : opened.total(),
                request.expected(),
                opened.started(),
                updated);
    }

    @Override
    public Digest digest() {
        if (committed.isPresent()) {
            return committed.get();
        }
        try {
            return Digest.of(algorithm, (MessageDigest) digester.clone());
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException("the JDK's digests can be cloned", e);
        }
    }

    /** @throws FailedPreconditionException if the writer is closed */
    private void checkOpen() {
        if (aborted) {
            throw new AbortedException(
                    "ingest \"%s\" was aborted while it was written: start it anew".formatted(request.ref()));
        }
        if (closed) {
            throw new FailedPreconditionException(
                    "the writer of ingest \"%s\" is closed: open it again".formatted(request.ref()));
        }
    }

    @Override
    public void write(ByteBuffer bytes) {
        lock.lock();
        try {
            checkOpen();
            while (bytes.hasRemaining()) {
                ByteBuffer hashed = bytes.duplicate();
                int written = data.write(bytes, offset);
                // Only what has reached the file: a full disk leaves an ingest that can be resumed.
                hash(hashed.limit(hashed.position() + written));
            }
            updated = clock.instant();
        } catch (IOException e) {
            throw new UncheckedIOException("writing ingest " + request.ref(), e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void truncate(long size) {
        lock.lock();
        try {
            checkOpen();
            if (size < 0 || size > offset) {
                throw new InvalidArgumentException("ingest \"%s\" has %d bytes and cannot be truncated to %d"
                        .formatted(request.ref(), offset, size));
            }
            data.truncate(size);
            rehash(size);
            updated = clock.instant();
        } catch (IOException e) {
            throw new UncheckedIOException("truncating ingest " + request.ref(), e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
        Optional<Digest> wanted = expected.or(request::expected);
        String cid = labels.getOrDefault(StoreLabels.IPFS_CID, "");
        if (!cid.isEmpty() && offset == 0 && wanted.isPresent()) {
            declare(wanted.get(), cid, size);
            return;
        }
        lock.lock();
        try {
            checkOpen();
            if (size > 0 && size != offset) {
                throw new FailedPreconditionException(
                        "unexpected commit size of ingest \"%s\": %d bytes were written, %d expected"
                                .formatted(request.ref(), offset, size));
            }
            Digest digest = digest(wanted);
            if (wanted.isPresent() && !wanted.get().equals(digest)) {
                throw new FailedPreconditionException("unexpected commit digest of ingest \"%s\": got %s, expected %s"
                        .formatted(request.ref(), digest, wanted.get()));
            }
            become(digest);
            committed = Optional.of(digest);
        } catch (IOException e) {
            throw new UncheckedIOException("committing ingest " + request.ref(), e);
        } finally {
            close();
            lock.unlock();
        }
    }

    /** Asks for the root without holding the lock: whoever aborts need not wait for that. */
    private void declare(Digest digest, String cid, long size) {
        try {
            lock.lock();
            try {
                checkOpen();
            } finally {
                lock.unlock();
            }
            offset = store.declare(digest, Cid.parse(cid), size, deadline);
            files.remove(ingest);
            committed = Optional.of(digest);
        } catch (AlreadyExistsException e) {
            drop(e);
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException("committing ingest " + request.ref(), e);
        } finally {
            close();
        }
    }

    private void drop(RuntimeException cause) {
        try {
            files.remove(ingest);
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    /** In the algorithm of {@code wanted}: who opened the writer may not have known it, so the data may be read once more. */
    private Digest digest(Optional<Digest> wanted) throws IOException {
        if (wanted.isPresent() && !wanted.get().algorithm().equals(algorithm)) {
            algorithm = wanted.get().algorithm();
            rehash(offset);
        }
        return digest();
    }

    /**
     * The file gets a name that says how long the data is, since more is written behind it; a crash before it is a pack leaves an ingest
     * that can be resumed.
     */
    private void become(Digest digest) throws IOException {
        if (store.has(digest)) {
            files.remove(ingest);
            throw new AlreadyExistsException("content %s".formatted(digest));
        }
        Path file = ingest.data();
        Path committing = ingest.committing(offset);
        Cid root = root(digest);
        Files.move(file, committing);
        try {
            store.add(committing, data, digest, root, offset, imported);
        } catch (IOException | RuntimeException e) {
            if (Files.exists(committing)) {
                Files.move(committing, file);
            }
            if (e instanceof AlreadyExistsException) {
                files.remove(ingest);
            }
            throw e;
        }
        files.remove(ingest);
    }

    /** Drops the ingest under the writer's hands. The ref stays the writer's until it is closed. */
    void abort() throws IOException {
        lock.lock();
        try {
            aborted = true;
            files.remove(ingest);
        } finally {
            lock.unlock();
        }
    }

    /** Syncs what was written, so that a resumed ingest has what its length says. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            try (data) {
                if (offset > opened.offset() && committed.isEmpty() && !aborted) {
                    data.force(false);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("closing ingest " + request.ref(), e);
        } finally {
            store.unlock(request.ref(), this);
            lock.unlock();
        }
    }
}
