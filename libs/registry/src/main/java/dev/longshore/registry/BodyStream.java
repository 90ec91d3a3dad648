package dev.longshore.registry;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow.Subscription;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The body of an answer, which fails when nothing comes for a while: the JDK's own stream waits for ever for a server
 * that has gone silent. At most {@link #AHEAD} buffers wait to be read.
 */
final class BodyStream extends InputStream implements BodySubscriber<InputStream> {

    private static final int AHEAD = 8;

    /** What the queue holds: buffers, and behind the last of them why there are no more. */
    private sealed interface Item {
        record Data(List<ByteBuffer> buffers) implements Item {}

        record End(@Nullable Throwable error) implements Item {}
    }

    /** Requested items and the end. */
    private final BlockingQueue<Item> queue = new ArrayBlockingQueue<>(AHEAD + 1);

    private final CompletableFuture<Subscription> subscribed = new CompletableFuture<>();
    private final Duration stall;
    private List<ByteBuffer> current = List.of();
    private int next;
    private Item.@Nullable End end;
    private volatile boolean closed;

    /** @param stall how long the server may say nothing */
    BodyStream(Duration stall) {
        this.stall = stall;
    }

    @Override
    public CompletionStage<InputStream> getBody() {
        return CompletableFuture.completedStage(this);
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        if (closed || !subscribed.complete(subscription)) {
            subscription.cancel();
        } else {
            subscription.request(AHEAD);
        }
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        queue.add(new Item.Data(buffers));
    }

    @Override
    public void onError(Throwable error) {
        queue.add(new Item.End(error));
    }

    @Override
    public void onComplete() {
        queue.add(new Item.End(null));
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        ByteBuffer buffer = readable();
        if (buffer == null) {
            return -1;
        }
        int count = Math.min(length, buffer.remaining());
        buffer.get(bytes, offset, count);
        return count;
    }

    private @Nullable ByteBuffer readable() throws IOException {
        while (true) {
            if (closed) {
                throw new IOException("stream is closed");
            }
            for (; next < current.size(); next++) {
                if (current.get(next).hasRemaining()) {
                    return current.get(next);
                }
            }
            Item.End ended = end;
            if (ended == null) {
                switch (take()) {
                    case Item.Data(List<ByteBuffer> buffers) -> {
                        current = buffers;
                        next = 0;
                        subscribed.join().request(1);
                    }
                    case Item.End item -> end = item;
                }
            } else if (ended.error() == null) {
                return null;
            } else {
                throw new IOException("the body broke off: " + ended.error().getMessage(), ended.error());
            }
        }
    }

    private Item take() throws IOException {
        try {
            Item item = queue.poll(stall.toNanos(), TimeUnit.NANOSECONDS);
            if (item == null) {
                throw new IOException("the server has sent nothing for %d ms".formatted(stall.toMillis()));
            }
            return item;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (InterruptedIOException) new InterruptedIOException("interrupted while reading a body").initCause(e);
        }
    }

    @Override
    public void close() {
        closed = true;
        var _ = subscribed.whenComplete((subscription, _) -> subscription.cancel());
    }
}
