package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.file.DurableFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Appends to the data file of an ingest, computing its digest on the way. Whoever aborts the ingest meanwhile does so
 * between two calls of the writer; those that follow fail.
 */
final class LocalContentWriter implements ContentWriter {

    private static final int REHASH_BUFFER = 1 << 20;

    /** What is left of the mode that the file was made with: a blob is read only. */
    private static final Set<PosixFilePermission> READ =
            EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.GROUP_READ, PosixFilePermission.OTHERS_READ);

    private final LocalContentStore store;
    private final ContentLayout layout;
    private final WriterRequest request;
    private final IngestStatus opened;
    private final Clock clock;
    private final Path ingest;
    private final FileChannel data;

    /** Between the writer's thread and one that aborts. */
    private final ReentrantLock lock = new ReentrantLock();

    private String algorithm;
    private MessageDigest digester;
    private long offset;
    private Instant updated;
    private boolean aborted;
    private boolean closed;

    /** Reads what the ingest has already, to take its digest up. The caller holds the ref, which goes over to this. */
    LocalContentWriter(
            LocalContentStore store, ContentLayout layout, WriterRequest request, IngestStatus opened, Clock clock)
            throws IOException {
        this.store = store;
        this.layout = layout;
        this.request = request;
        this.algorithm = request.expected().map(Digest::algorithm).orElse("sha256");
        this.opened = opened;
        this.clock = clock;
        this.ingest = layout.ingest(request.ref());
        this.updated = opened.updated();
        this.digester = Digest.digester(algorithm);
        this.data = FileChannel.open(
                ContentLayout.data(ingest),
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.CREATE);
        try {
            this.offset = data.size();
            this.digester = hash(offset);
            data.position(offset);
        } catch (IOException e) {
            data.close();
            throw e;
        }
    }

    private MessageDigest hash(long size) throws IOException {
        MessageDigest hash = Digest.digester(algorithm);
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(REHASH_BUFFER, size));
        long position = 0;
        while (position < size) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), size - position));
            if (data.read(buffer, position) < 0) {
                throw new IOException("ingest %s got shorter while it was read".formatted(request.ref()));
            }
            position += buffer.position();
            hash.update(buffer.flip());
        }
        return hash;
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
    public Optional<ContentReader> written() {
        try {
            return Optional.of(new FileReader(FileChannel.open(ContentLayout.data(ingest), StandardOpenOption.READ)));
        } catch (IOException e) {
            throw new UncheckedIOException("reading ingest " + request.ref(), e);
        }
    }

    @Override
    public void write(ByteBuffer bytes) {
        lock.lock();
        try {
            checkOpen();
            while (bytes.hasRemaining()) {
                ByteBuffer hashed = bytes.duplicate();
                int written = data.write(bytes);
                // Only what has reached the file: a full disk leaves an ingest that can be resumed.
                digester.update(hashed.limit(hashed.position() + written));
                offset += written;
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
            offset = size;
            digester = hash(size);
            data.position(size);
            updated = clock.instant();
        } catch (IOException e) {
            throw new UncheckedIOException("truncating ingest " + request.ref(), e);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Mode set, data synced, renamed, folder of the blobs synced: only then does the call return. A crash before the rename
     * leaves the ingest, after it the blob, and maybe what else was in the folder of the ingest.
     */
    @Override
    public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
        lock.lock();
        try {
            checkOpen();
            if (size > 0 && size != offset) {
                throw new FailedPreconditionException(
                        "unexpected commit size of ingest \"%s\": %d bytes were written, %d expected"
                                .formatted(request.ref(), offset, size));
            }
            Optional<Digest> wanted = expected.or(request::expected);
            Digest digest = digest(wanted);
            if (wanted.isPresent() && !wanted.get().equals(digest)) {
                throw new FailedPreconditionException("unexpected commit digest of ingest \"%s\": got %s, expected %s"
                        .formatted(request.ref(), digest, wanted.get()));
            }
            become(digest);
        } catch (IOException e) {
            throw new UncheckedIOException("committing ingest " + request.ref(), e);
        } finally {
            close();
            lock.unlock();
        }
    }

    /** In the algorithm of {@code wanted}: who opened the writer may not have known it, so the data may be read once more. */
    private Digest digest(Optional<Digest> wanted) throws IOException {
        if (wanted.isPresent() && !wanted.get().algorithm().equals(algorithm)) {
            algorithm = wanted.get().algorithm();
            digester = hash(offset);
        }
        return digest();
    }

    private void become(Digest digest) throws IOException {
        Path blob = layout.blob(digest);
        store.makeBlobFolder(digest.algorithm());
        if (Files.exists(blob)) {
            DurableFiles.syncFolder(
                    layout.blobs(digest.algorithm())); // another writer's rename may not be on the disk yet
            LocalContentStore.removeIngest(ingest);
            throw new AlreadyExistsException("content %s".formatted(digest));
        }
        Path file = ContentLayout.data(ingest);
        Set<PosixFilePermission> mode = Files.getPosixFilePermissions(file);
        mode.retainAll(READ);
        Files.setPosixFilePermissions(file, mode);
        Files.setLastModifiedTime(file, FileTime.from(clock.instant())); // when the blob was made
        data.force(true);
        DurableFiles.move(file, blob);
        LocalContentStore.removeIngest(ingest);
    }

    /** Drops the ingest under the writer's hands. The ref stays the writer's until it is closed. */
    void abort() throws IOException {
        lock.lock();
        try {
            aborted = true;
            LocalContentStore.removeIngest(ingest);
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
            closeFiles();
        } catch (IOException e) {
            throw new UncheckedIOException("closing ingest " + request.ref(), e);
        } finally {
            store.unlock(request.ref(), this);
            lock.unlock();
        }
    }

    private void closeFiles() throws IOException {
        try (data) {
            Path file = ContentLayout.updatedAt(ingest);
            if (Files.exists(file)) { // not aborted, not committed
                data.force(false);
                Files.writeString(file, updated.toString());
            }
        }
    }
}
