package dev.longshore.daemon.transfer;

import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;

/** The content store, as transfers use it; one for all of them. Safe for use by many threads. */
final class Blobs {

    /** Bytes of a manifest, an index or a configuration. containerd's limit. */
    static final int MAX_DOCUMENT = 8 << 20;

    private static final int BUFFER = 256 << 10;

    /** How often it is looked whether somebody else has finished the same blob. */
    private static final Duration POLL = Duration.ofMillis(100);

    /** How often it is tried again to have a blob from where it once failed. */
    private static final int SOURCE_RETRIES = 3;

    private final ContentStore content;
    private final String contentName;
    private final ReentrantLock lock = new ReentrantLock();

    /** Signaled whenever a blob is stored, or is not. */
    private final Condition ended = lock.newCondition();

    private long stores;

    /** @param contentName of the store that {@code content} keeps its blobs in, for a person */
    Blobs(ContentStore content, String contentName) {
        this.content = content;
        this.contentName = contentName;
    }

    /** Where the bytes of a blob come from. */
    @FunctionalInterface
    interface Source {

        /** @param offset bytes to leave out */
        InputStream open(long offset) throws IOException, InterruptedException;
    }

    /** What is told while a blob is stored. */
    interface Watcher {

        /**
         * Nothing but appending follows.
         *
         * @param written reads what is written, if the store can give that; goes over to who is told
         */
        void begins(Optional<ContentReader> written);

        /** @param count less than 0 when bytes have to come again */
        void advance(long count);

        void complete();

        void exists();
    }

    boolean has(CallContext context, Digest digest) {
        try {
            return content.info(context, digest).digest().equals(digest);
        } catch (NotFoundException e) {
            return false;
        }
    }

    /**
     * Stores a blob, going on where an earlier attempt ended. If somebody else is storing it at the moment, their work is waited for.
     *
     * @param source read at most once in an attempt
     * @throws DataLossException if other bytes come than the descriptor says; nothing of them is kept
     */
    void store(CallContext context, Descriptor descriptor, Map<String, String> labels, Source source, Watcher watcher)
            throws IOException, InterruptedException {
        String ref = ProgressTracker.name(descriptor);
        ContentWriter writer;
        try {
            writer = open(context, ref, descriptor);
        } catch (AlreadyExistsException e) {
            watcher.exists();
            return;
        }
        try (writer) {
            write(writer, descriptor, source, watcher);
            writer.commit(descriptor.size(), Optional.of(descriptor.digest()), labels);
            watcher.complete();
        } catch (AlreadyExistsException e) {
            watcher.exists();
        } catch (FailedPreconditionException e) {
            drop(context, ref, e);
            throw new DataLossException("%s is not what came for it: %s".formatted(ref, e.getMessage()), e);
        } catch (IOException | InterruptedException | RuntimeException e) {
            dropEmpty(context, ref, e);
            throw e;
        } finally {
            tellOthers();
        }
    }

    /**
     * Has the store fetch a blob by itself, and reads it to its end, so that all of it is here and is what its digest says.
     *
     * @param descriptor of a size of 0 if that is not known
     * @param cid of the blob in IPFS
     * @throws FailedPreconditionException if it is a store that cannot
     * @throws DataLossException if other bytes come than the descriptor says; nothing of them is kept
     */
    void take(CallContext context, Descriptor descriptor, Map<String, String> labels, Cid cid, Watcher watcher)
            throws InterruptedException {
        if (declare(context, descriptor, labels, cid)) {
            check(context, descriptor, cid, watcher);
            watcher.complete();
        } else {
            awaitWhole(context, descriptor);
            watcher.exists();
        }
    }

    /**
     * Tells the store where it can fetch a blob; none of it need be here then.
     *
     * @param descriptor of a size of 0 if that is not known
     * @return false if the blob was there, or declared
     * @throws FailedPreconditionException if it is a store that cannot
     */
    boolean declare(CallContext context, Descriptor descriptor, Map<String, String> labels, Cid cid)
            throws InterruptedException {
        String ref = ProgressTracker.name(descriptor);
        try (ContentWriter writer = open(context, ref, descriptor)) {
            if (writer.status().offset() > 0) {
                writer.truncate(0); // of an attempt to have it from elsewhere
            }
            Map<String, String> all = new HashMap<>(labels);
            all.put(StoreLabels.IPFS_CID, cid.toString());
            writer.commit(descriptor.size(), Optional.of(descriptor.digest()), all);
            return true;
        } catch (AlreadyExistsException e) {
            return false;
        } catch (FailedPreconditionException e) {
            drop(context, ref, e);
            throw new FailedPreconditionException(
                    ("content store %s cannot fetch ipfs://%s: %s; one that can is longshore-content-ipfs, configured as"
                                    + " [proxy_plugins.ipfs] with type = \"content\"")
                            .formatted(contentName, cid, e.getMessage()),
                    e);
        } catch (RuntimeException e) {
            dropEmpty(context, ref, e);
            throw e;
        } finally {
            tellOthers();
        }
    }

    /** Until a blob is here that was declared: the store fetches all of it, and verifies it, before it gives out a byte. */
    private void awaitWhole(CallContext context, Descriptor descriptor) {
        ByteBuffer one = ByteBuffer.allocate(1);
        int _ = persistently(context, descriptor, () -> {
            try (ContentReader reader = content.reader(context, descriptor.digest())) {
                return reader.read(one.clear(), 0);
            }
        });
    }

    private void check(CallContext context, Descriptor descriptor, Cid cid, Watcher watcher)
            throws InterruptedException {
        MessageDigest digester = descriptor.digest().digester();
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
        try (ContentReader reader = content.reader(context, descriptor.digest())) {
            for (long at = 0; at < reader.size(); at += buffer.limit()) {
                if (read(context, reader, buffer, at, descriptor) <= 0) {
                    throw new DataLossException(
                            "%s ends after %d of %d bytes".formatted(descriptor.digest(), at, reader.size()));
                }
                digester.update(buffer.flip());
                watcher.advance(buffer.limit());
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
            }
        }
        Digest came = Digest.of(descriptor.digest().algorithm(), digester);
        if (!came.equals(descriptor.digest())) {
            content.delete(context, descriptor.digest());
            throw new DataLossException("%s is not what ipfs://%s is, whose digest is %s: the image was made wrong"
                    .formatted(descriptor.digest(), cid, came));
        }
    }

    private static int read(
            CallContext context, ContentReader reader, ByteBuffer buffer, long at, Descriptor descriptor) {
        return persistently(context, descriptor, () -> reader.read(buffer.clear(), at));
    }

    /**
     * As long as the transfer has time: a store may answer the first read when it has fetched the blob, and what it has fetched until a
     * message was given up it has the next time. A source that fails is asked again a few times.
     */
    private static int persistently(CallContext context, Descriptor descriptor, IntSupplier read) {
        for (int failures = 0; ; ) {
            try {
                return read.getAsInt();
            } catch (DeadlineExceededException e) {
                context.deadline().check("fetching " + descriptor.digest());
            } catch (UnavailableException e) {
                if (++failures > SOURCE_RETRIES) {
                    throw e;
                }
            }
        }
    }

    /** Waits while somebody else stores the same blob. */
    private ContentWriter open(CallContext context, String ref, Descriptor descriptor) throws InterruptedException {
        while (true) {
            context.deadline().check("storing " + ref);
            try {
                return content.writer(
                        context, new WriterRequest(ref, descriptor.size(), Optional.of(descriptor.digest())));
            } catch (UnavailableException e) {
                if (!heldByAnother(context, ref)) {
                    throw e;
                }
            }
            awaitAnother();
        }
    }

    /** What was written is kept for the next attempt; an ingest of nothing is of no use. */
    private void dropEmpty(CallContext context, String ref, Exception cause) {
        try {
            if (content.status(context, ref).offset() == 0) {
                content.abort(context, ref);
            }
        } catch (ContainerdException e) {
            cause.addSuppressed(e); // it expires
        }
    }

    /** Until something that is stored here has ended; looks again soon in any case, since clients store blobs, too. */
    private void awaitAnother() throws InterruptedException {
        lock.lock();
        try {
            long seen = stores;
            long nanos = POLL.toNanos();
            while (stores == seen && nanos > 0) {
                nanos = ended.awaitNanos(nanos);
            }
        } finally {
            lock.unlock();
        }
    }

    private void tellOthers() {
        lock.lock();
        try {
            stores++;
            ended.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private boolean heldByAnother(CallContext context, String ref) {
        try {
            return content.status(context, ref).ref().equals(ref);
        } catch (NotFoundException e) {
            return true; // it has just been finished
        }
    }

    private void drop(CallContext context, String ref, Exception cause) {
        try {
            content.abort(context, ref);
        } catch (ContainerdException e) {
            cause.addSuppressed(e); // it expires
        }
    }

    private static void write(ContentWriter writer, Descriptor descriptor, Source source, Watcher watcher)
            throws IOException, InterruptedException {
        long offset = writer.status().offset();
        if (offset > descriptor.size()) {
            writer.truncate(0);
            offset = 0;
        }
        if (offset == descriptor.size() && offset > 0) {
            watcher.begins(writer.written());
            watcher.advance(offset);
            return;
        }
        byte[] buffer = new byte[BUFFER];
        try (InputStream in = source.open(offset)) {
            watcher.begins(writer.written());
            watcher.advance(offset);
            long left = descriptor.size() - offset;
            for (int count = in.readNBytes(buffer, 0, buffer.length);
                    count > 0;
                    count = in.readNBytes(buffer, 0, buffer.length)) {
                left -= count;
                if (left < 0) {
                    throw new InvalidArgumentException("%s is longer than the %d bytes of its descriptor"
                            .formatted(descriptor.digest(), descriptor.size()));
                }
                writer.write(ByteBuffer.wrap(buffer, 0, count));
                watcher.advance(count);
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
            }
        }
    }

    /** A small blob as a whole. */
    byte[] document(CallContext context, Descriptor descriptor) {
        if (descriptor.size() > MAX_DOCUMENT) {
            throw new InvalidArgumentException(
                    "%s has %d bytes, the limit is %d".formatted(descriptor.digest(), descriptor.size(), MAX_DOCUMENT));
        }
        try (ContentReader reader = content.reader(context, descriptor.digest())) {
            if (reader.size() > MAX_DOCUMENT) {
                throw new InvalidArgumentException(
                        "%s has %d bytes, the limit is %d".formatted(descriptor.digest(), reader.size(), MAX_DOCUMENT));
            }
            ByteBuffer buffer = ByteBuffer.allocate((int) reader.size());
            while (buffer.hasRemaining() && reader.read(buffer, buffer.position()) > 0) {
                // as far as it goes
            }
            return buffer.array();
        }
    }

    ContentReader reader(CallContext context, Digest digest) {
        return content.reader(context, digest);
    }

    /** Adds labels. */
    void label(CallContext context, Digest digest, Map<String, String> labels) {
        if (labels.isEmpty()) {
            return;
        }
        List<String> paths = new ArrayList<>();
        labels.keySet().forEach(key -> paths.add("labels." + key));
        content.update(context, new ContentInfo(digest, 0, Instant.EPOCH, Instant.EPOCH, labels), paths);
    }

    Map<String, String> labels(CallContext context, Digest digest) {
        return content.info(context, digest).labels();
    }
}
