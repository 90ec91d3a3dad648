package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.digest.Digest;
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
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/** Appends to the data file of an ingest, computing its digest on the way. */
final class LocalContentWriter implements ContentWriter {

    private static final int REHASH_BUFFER = 1 << 20;

    private final LocalContentStore store;
    private final ContentLayout layout;
    private final WriterRequest request;
    private final String algorithm;
    private final IngestStatus opened;
    private final Clock clock;
    private final Path ingest;
    private final FileChannel data;
    private MessageDigest digester;
    private long offset;
    private Instant updated;
    private boolean closed;

    /** Reads what the ingest has already, to take its digest up. The caller holds the ref's lock, which goes over to this. */
    LocalContentWriter(
            LocalContentStore store,
            ContentLayout layout,
            WriterRequest request,
            String algorithm,
            IngestStatus opened,
            Clock clock)
            throws IOException {
        this.store = store;
        this.layout = layout;
        this.request = request;
        this.algorithm = algorithm;
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
            this.offset = rehash(data.size());
            data.position(offset);
        } catch (IOException e) {
            data.close();
            throw e;
        }
    }

    private long rehash(long size) throws IOException {
        digester = Digest.digester(algorithm);
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(REHASH_BUFFER, size));
        long position = 0;
        while (position < size) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), size - position));
            if (data.read(buffer, position) < 0) {
                throw new IOException("ingest %s got shorter while it was read".formatted(request.ref()));
            }
            position += buffer.position();
            digester.update(buffer.flip());
        }
        return position;
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

    @Override
    public void write(ByteBuffer bytes) {
        try {
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
        }
    }

    @Override
    public void truncate(long size) {
        if (size < 0 || size > offset) {
            throw new InvalidArgumentException(
                    "ingest \"%s\" has %d bytes and cannot be truncated to %d".formatted(request.ref(), offset, size));
        }
        try {
            data.truncate(size);
            offset = rehash(size);
            data.position(size);
            updated = clock.instant();
        } catch (IOException e) {
            throw new UncheckedIOException("truncating ingest " + request.ref(), e);
        }
    }

    /**
     * Data synced, mode set, renamed, folder of the blobs synced: only then does the call return. A crash before the rename
     * leaves the ingest, after it the blob.
     */
    @Override
    public void commit(long size, Optional<Digest> expected, Map<String, String> labels) {
        try {
            Digest digest = digest();
            if (size > 0 && size != offset) {
                throw new FailedPreconditionException(
                        "unexpected commit size of ingest \"%s\": %d bytes were written, %d expected"
                                .formatted(request.ref(), offset, size));
            }
            Optional<Digest> wanted = expected.or(request::expected);
            if (wanted.isPresent() && !wanted.get().equals(digest)) {
                throw new FailedPreconditionException("unexpected commit digest of ingest \"%s\": got %s, expected %s"
                        .formatted(request.ref(), digest, wanted.get()));
            }
            Path blob = layout.blob(digest);
            if (Files.exists(blob)) {
                LocalContentStore.removeIngest(ingest);
                throw new AlreadyExistsException("content %s".formatted(digest));
            }
            data.force(true);
            Files.setPosixFilePermissions(ContentLayout.data(ingest), PosixFilePermissions.fromString("r--r--r--"));
            DurableFiles.move(ContentLayout.data(ingest), blob);
            LocalContentStore.removeIngest(ingest);
        } catch (IOException e) {
            throw new UncheckedIOException("committing ingest " + request.ref(), e);
        } finally {
            close();
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            data.close();
            if (Files.exists(ContentLayout.updatedAt(ingest))) {
                Files.writeString(ContentLayout.updatedAt(ingest), updated.toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("closing ingest " + request.ref(), e);
        } finally {
            store.unlock(request.ref());
        }
    }
}
