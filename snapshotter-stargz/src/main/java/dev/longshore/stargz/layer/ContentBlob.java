package dev.longshore.stargz.layer;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A blob in a content store. A store that fails is left alone for a while; one whose bytes are others than the layer's is not asked for
 * it again. Safe for use by many threads.
 */
final class ContentBlob implements LayerBlob {

    private static final Logger log = LoggerFactory.getLogger(ContentBlob.class);

    /** Bytes of a call at most: they are in memory. */
    private static final int LARGEST_CALL = 1 << 20;

    /** How long a store is passed over that has failed. */
    private static final long PAUSE_NANOS = 30_000_000_000L;

    private final ContentSource source;
    private final Digest digest;
    private final OptionalLong stated;

    /** Opened by who reads first, and again after a failure. */
    private volatile Optional<ContentReader> reader = Optional.empty();

    private volatile boolean gaveSome;
    private volatile boolean forged;
    private volatile Optional<Long> failedAt = Optional.empty();

    /** @param size bytes of the blob; empty if it is for the store to say */
    ContentBlob(ContentSource source, Digest digest, OptionalLong size) {
        this.source = source;
        this.digest = digest;
        this.stated = size;
    }

    /** Opens a blob whose size the store is to say. */
    static ContentBlob open(ContentSource source, Digest digest) throws IOException {
        ContentBlob blob = new ContentBlob(source, digest, OptionalLong.empty());
        ContentReader _ = blob.opened();
        return blob;
    }

    @Override
    public long size() {
        return stated.orElseGet(() -> reader.map(ContentReader::size).orElseThrow());
    }

    /** Whether somebody else is to be asked: it has failed a short time ago, or given other bytes than those of the layer. */
    boolean isPassedOver() {
        return forged
                || failedAt.filter(at -> System.nanoTime() - at < PAUSE_NANOS).isPresent();
    }

    /** @throws BadLayerException if the bytes were there, and are not the layer's */
    @Override
    public void read(long begin, long end, Part part) throws IOException {
        try (InputStream in = new CallStream(opened(), begin, end)) {
            part.read(in);
            gaveSome = true;
            if (failedAt.isPresent()) {
                failedAt = Optional.empty();
                log.atInfo()
                        .addKeyValue("layer", digest)
                        .addKeyValue("store", source)
                        .log("layer is read from the store again");
            }
        } catch (ContainerdException e) {
            throw failed(e);
        } catch (BadLayerException e) {
            if (!forged) {
                forged = true;
                log.atWarn()
                        .addKeyValue("layer", digest)
                        .addKeyValue("store", source)
                        .addKeyValue("err", e.getMessage())
                        .log(
                                "a content store gives wrong bytes for a layer, which is not read from it again if others have it");
            }
            throw e;
        }
    }

    private ContentReader opened() throws IOException {
        Optional<ContentReader> open = reader;
        if (open.isPresent()) {
            return open.get();
        }
        ContentReader opened;
        try {
            opened = source.open(digest);
        } catch (ContainerdException e) {
            throw failed(e);
        }
        if (stated.isPresent() && opened.size() != stated.getAsLong()) {
            opened.close();
            throw failed(new NotFoundException("content %s has %d bytes there, and the layer has %d"
                    .formatted(digest, opened.size(), stated.getAsLong())));
        }
        reader = Optional.of(opened);
        return opened;
    }

    /** Remembers and says it, the first time. A store that has never had the layer need not be spoken of. */
    private IOException failed(ContainerdException e) {
        boolean first = failedAt.isEmpty();
        failedAt = Optional.of(System.nanoTime());
        drop();
        if (first && (gaveSome || !(e instanceof NotFoundException))) {
            log.atWarn()
                    .addKeyValue("layer", digest)
                    .addKeyValue("store", source)
                    .addKeyValue("err", e.getMessage())
                    .log("a layer cannot be read from a content store");
        }
        return new IOException("%s: %s".formatted(source, e.getMessage()), e);
    }

    private void drop() {
        Optional<ContentReader> open = reader;
        reader = Optional.empty();
        open.ifPresent(ContentReader::close);
    }

    @Override
    public void close() {
        drop();
    }

    @Override
    public String toString() {
        return "layer %s in %s".formatted(digest, source);
    }

    /** A part of the blob, in calls of bounded size. For one thread. */
    private final class CallStream extends InputStream {

        private final ContentReader reader;
        private final long end;
        private long asked;
        private ByteBuffer piece = ByteBuffer.allocate(0);

        CallStream(ContentReader reader, long begin, long end) {
            this.reader = reader;
            this.asked = begin;
            this.end = end;
        }

        @Override
        public int read() {
            return advance() ? piece.get() & 0xff : -1;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            if (length == 0) {
                return 0;
            }
            if (!advance()) {
                return -1;
            }
            int count = Math.min(length, piece.remaining());
            piece.get(bytes, offset, count);
            return count;
        }

        private boolean advance() {
            if (piece.hasRemaining()) {
                return true;
            }
            if (asked >= end) {
                return false;
            }
            ByteBuffer next = ByteBuffer.allocate((int) Math.min(LARGEST_CALL, end - asked));
            int count = reader.read(next, asked);
            if (count <= 0) {
                throw new DataLossException("content %s ended at byte %d".formatted(digest, asked));
            }
            source.fetched(count);
            asked += count;
            piece = next.flip();
            return true;
        }
    }
}
