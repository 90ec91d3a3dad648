package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One open stream of a client's, blocking. At most one message that came waits here: the next is asked of gRPC when it is taken. What
 * is sent waits while the client takes nothing.
 */
final class ClientStream implements AutoCloseable {

    private final ServerCallStreamObserver<Any> out;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private Optional<Any> arrived = Optional.empty();
    private boolean ended;
    private boolean broken;
    private boolean closed;

    ClientStream(ServerCallStreamObserver<Any> out) {
        this.out = out;
    }

    /** A message as typeurl names it: by its full name alone. */
    static Any any(Message message) {
        return Any.newBuilder()
                .setTypeUrl(message.getDescriptorForType().getFullName())
                .setValue(message.toByteString())
                .build();
    }

    /** @throws InvalidArgumentException if it is another message than {@code name}, or none */
    static <M> M unpack(Any any, String name, Parser<M> parser) {
        if (!Types.typed(any).typeName().equals(name)) {
            throw new InvalidArgumentException(
                    "a %s was expected in the stream, and \"%.80s\" came".formatted(name, any.getTypeUrl()));
        }
        try {
            return parser.parseFrom(any.getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException(
                    "a message in the stream is no %s: %s".formatted(name, e.getMessage()), e);
        }
    }

    /** From gRPC: a message; there is room, since one is asked for at a time. */
    void offer(Any message) {
        lock.lock();
        try {
            arrived = Optional.of(message);
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** From gRPC: nothing comes any more. */
    void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** From gRPC: the client is gone. */
    void fail() {
        lock.lock();
        try {
            broken = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** From gRPC: there may be room for what is sent. */
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * The next message; empty when the client has ended the stream.
     *
     * @throws InvalidArgumentException if none comes for {@code patience}
     * @throws CanceledException if the client is gone
     */
    Optional<Any> receive(Duration patience) throws InterruptedException {
        long nanos = patience.toNanos();
        Any message;
        lock.lock();
        try {
            while (arrived.isEmpty()) {
                if (ended || closed) {
                    return Optional.empty();
                }
                if (broken) {
                    throw new CanceledException("the client has left its stream");
                }
                if (nanos <= 0) {
                    throw new InvalidArgumentException(
                            "nothing came in the stream for %d s".formatted(patience.toSeconds()));
                }
                nanos = changed.awaitNanos(nanos);
            }
            message = arrived.get();
            arrived = Optional.empty();
        } finally {
            lock.unlock();
        }
        out.request(1);
        return Optional.of(message);
    }

    /** @throws CanceledException if the client is gone, or takes nothing for {@code patience} */
    void send(Message message, Duration patience) throws InterruptedException {
        long nanos = patience.toNanos();
        lock.lock();
        try {
            while (!out.isReady() && !out.isCancelled() && !closed) {
                if (nanos <= 0) {
                    throw new CanceledException(
                            "the client has read nothing of its stream for %d s".formatted(patience.toSeconds()));
                }
                nanos = changed.awaitNanos(nanos);
            }
            if (closed || out.isCancelled()) {
                throw new CanceledException("the client has left its stream");
            }
            out.onNext(any(message));
        } finally {
            lock.unlock();
        }
    }

    /** Ends the stream. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                changed.signalAll();
                if (!out.isCancelled()) {
                    out.onCompleted();
                }
            }
        } finally {
            lock.unlock();
        }
    }
}
