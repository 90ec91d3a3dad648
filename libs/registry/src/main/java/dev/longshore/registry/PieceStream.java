package dev.longshore.registry;

import dev.longshore.registry.Registry.Pieces;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** A blob's pieces in their order, while the next ones come over connections of their own. For one thread. */
final class PieceStream extends InputStream {

    private final Source source;
    private final long end;
    private final Pieces pieces;
    private final ExecutorService connections = Executors.newVirtualThreadPerTaskExecutor();
    private final Queue<Future<byte[]>> coming = new ArrayDeque<>();
    private long asked;
    private byte[] piece = new byte[0];
    private int position;

    /** Opens the bytes from one offset up to, not with, another. */
    @FunctionalInterface
    interface Source {
        InputStream open(long from, long end) throws IOException, InterruptedException;
    }

    PieceStream(Source source, long offset, long end, Pieces pieces) {
        this.source = source;
        this.asked = offset;
        this.end = end;
        this.pieces = pieces;
        while (coming.size() < pieces.atOnce() && asked < end) {
            ask();
        }
    }

    private void ask() {
        long from = asked;
        int length = (int) Math.min(pieces.size(), end - from);
        asked += length;
        coming.add(connections.submit(() -> {
            try (InputStream in = source.open(from, from + length)) {
                return in.readNBytes(length);
            }
        }));
    }

    private boolean advance() throws IOException {
        while (position == piece.length) {
            Future<byte[]> next = coming.poll();
            if (next == null) {
                return false;
            }
            try {
                piece = next.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (InterruptedIOException) new InterruptedIOException("interrupted while fetching").initCause(e);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException failure ? failure : new IOException(e.getCause());
            }
            position = 0;
            // Not before the last one has been read: the piece that is given out is the only one in memory besides
            // those that come.
            if (asked < end) {
                ask();
            }
        }
        return true;
    }

    @Override
    public int read() throws IOException {
        return advance() ? piece[position++] & 0xff : -1;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (!advance()) {
            return -1;
        }
        int count = Math.min(length, piece.length - position);
        System.arraycopy(piece, position, bytes, offset, count);
        position += count;
        return count;
    }

    @Override
    public void close() {
        coming.forEach(future -> future.cancel(true));
        connections.shutdownNow();
        connections.close();
    }
}
