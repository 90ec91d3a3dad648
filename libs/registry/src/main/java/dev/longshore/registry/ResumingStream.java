package dev.longshore.registry;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import org.jspecify.annotations.Nullable;

/** Bytes of a blob over as many connections as it takes; one that brought nothing counts against the patience. */
final class ResumingStream extends InputStream {

    private static final int MAX_FRUITLESS = 5;

    /** Opens the blob at an offset. */
    @FunctionalInterface
    interface Source {
        InputStream open(long offset) throws IOException, InterruptedException;
    }

    private final Source source;
    private final Digest digest;
    private final long end;
    private long position;
    private int fruitless;
    private @Nullable InputStream body;

    /**
     * @param digest for messages
     * @param end offset of the first byte that is not wanted any more
     */
    ResumingStream(Source source, Digest digest, long position, long end) {
        this(source, digest, position, end, null);
    }

    /** @param body what was opened at {@code position} already, if anything was */
    ResumingStream(Source source, Digest digest, long position, long end, @Nullable InputStream body) {
        this.source = source;
        this.digest = digest;
        this.position = position;
        this.end = end;
        this.body = body;
    }

    /** Opens the first connection, whose errors are told as they are. */
    void connect() throws IOException, InterruptedException {
        if (position < end) {
            body = source.open(position);
        }
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        if (position == end) {
            return -1;
        }
        while (true) {
            try {
                InputStream current = body == null ? reopen() : body;
                int count = current.read(bytes, offset, (int) Math.min(length, end - position));
                if (count > 0) {
                    position += count;
                    fruitless = 0;
                    return count;
                }
                if (length == 0) {
                    return 0;
                }
                throw new IOException("the body ended at byte %d of %d".formatted(position, end));
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException | ContainerdException e) {
                close();
                if (++fruitless >= MAX_FRUITLESS) {
                    throw new IOException("blob %s: %s".formatted(digest, e.getMessage()), e);
                }
            }
        }
    }

    private InputStream reopen() throws IOException {
        try {
            InputStream opened = source.open(position);
            body = opened;
            return opened;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (InterruptedIOException) new InterruptedIOException("interrupted while fetching").initCause(e);
        }
    }

    @Override
    public void close() throws IOException {
        InputStream current = body;
        body = null;
        if (current != null) {
            current.close();
        }
    }
}
