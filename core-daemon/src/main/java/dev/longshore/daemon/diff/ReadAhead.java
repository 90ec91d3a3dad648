package dev.longshore.daemon.diff;

import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Reads a stream on a thread of its own, a few chunks ahead, computing its digest on the way: inflating and hashing go on
 * while files are written. At most {@value #CHUNKS} chunks of {@value #CHUNK} bytes are in memory.
 */
final class ReadAhead extends InputStream {

    private static final int CHUNK = 128 << 10;
    private static final int CHUNKS = 4;
    private static final Chunk END = new Chunk(new byte[0], -1);

    private final BlockingQueue<Chunk> full = new ArrayBlockingQueue<>(CHUNKS);
    private final BlockingQueue<byte[]> empty = new ArrayBlockingQueue<>(CHUNKS + 1);
    private final Thread reader;
    private final MessageDigest digester;
    private volatile @Nullable IOException failure;
    private Chunk current = new Chunk(new byte[0], 0);
    private int offset;
    private long size;

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Chunk(byte[] bytes, int length) {}

    ReadAhead(InputStream in, MessageDigest digester) {
        this.digester = digester;
        // A platform thread: inflating does not yield.
        this.reader = Thread.ofPlatform().name("layer-reader").daemon(true).start(() -> read(in));
    }

    private void read(InputStream in) {
        try {
            while (true) {
                byte[] buffer = empty.poll();
                if (buffer == null) {
                    buffer = new byte[CHUNK];
                }
                int count = in.readNBytes(buffer, 0, CHUNK);
                if (count == 0) {
                    break;
                }
                digester.update(buffer, 0, count);
                full.put(new Chunk(buffer, count));
            }
        } catch (IOException e) {
            failure = e;
        } catch (RuntimeException e) {
            failure = new IOException("reading ahead failed", e);
        } catch (InterruptedException e) {
            return; // closed
        }
        try {
            full.put(END);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean advance() throws IOException {
        while (offset == current.length) {
            if (current.bytes.length == CHUNK) {
                var _ = empty.offer(current.bytes);
            }
            try {
                current = full.take();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while reading a layer", e);
            }
            offset = 0;
        }
        if (current.length >= 0) {
            return true;
        }
        IOException failed = failure;
        if (failed != null) {
            throw failed;
        }
        return false;
    }

    @Override
    public int read() throws IOException {
        if (!advance()) {
            return -1;
        }
        size++;
        return current.bytes[offset++] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int start, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!advance()) {
            return -1;
        }
        int count = Math.min(length, current.length - offset);
        System.arraycopy(current.bytes, offset, buffer, start, count);
        offset += count;
        size += count;
        return count;
    }

    /** Bytes that were read; all of them once the end was reached. */
    long size() {
        return size;
    }

    /** Of everything; only once the end was reached. */
    byte[] digest() {
        return digester.digest();
    }

    /** Returns when the stream below is in nobody's use any more. */
    @Override
    public void close() {
        reader.interrupt();
        boolean interrupted = false;
        while (true) {
            try {
                reader.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
