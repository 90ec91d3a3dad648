package dev.longshore.transport.grpc;

import com.google.protobuf.Empty;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.UnavailableException;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Answers calls with what blocking code returns or throws, and makes calls that throw error classes. */
public final class Unary {

    private Unary() {}

    /** Answers with what {@code body} returns, or with the status of what it throws. */
    public static <A> void answer(StreamObserver<A> observer, Supplier<A> body) {
        A answer;
        try {
            answer = body.get();
        } catch (Throwable e) { // whatever it is, the caller must hear of it
            observer.onError(StatusMapper.toStatus(e).asRuntimeException());
            return;
        }
        observer.onNext(answer);
        observer.onCompleted();
    }

    /** Answers with nothing when {@code body} returns, or with the status of what it throws. */
    public static void answerEmpty(StreamObserver<Empty> observer, Runnable body) {
        answer(observer, () -> {
            body.run();
            return Empty.getDefaultInstance();
        });
    }

    /**
     * Answers with a stream of what {@code body} hands to its sink. The sink blocks while the client takes nothing, so a
     * long list needs no memory; gRPC tells of room and of cancellation on another thread than that of the call.
     */
    public static <A> void stream(StreamObserver<A> observer, Consumer<Consumer<A>> body) {
        FlowControlledSink<A> sink = new FlowControlledSink<>((ServerCallStreamObserver<A>) observer);
        try {
            body.accept(sink);
        } catch (Throwable e) { // whatever it is, the caller must hear of it
            observer.onError(StatusMapper.toStatus(e).asRuntimeException());
            return;
        }
        observer.onCompleted();
    }

    /** Makes a call, turning the status it fails with into an error class. */
    public static <A> A call(Supplier<A> call) {
        try {
            return call.get();
        } catch (StatusRuntimeException e) {
            throw failure(e.getStatus(), e);
        }
    }

    /**
     * The error class of the status that a call of ours failed with. One that was canceled though nobody here did so was cut off
     * by a server that went away.
     */
    public static ContainerdException failure(Status status, Throwable cause) {
        if (status.getCode() == Status.Code.CANCELLED && !Context.current().isCancelled()) {
            return new UnavailableException("the server ended the call: " + status.getDescription(), cause);
        }
        return StatusMapper.fromStatus(status, cause);
    }

    /** Waits until the transport has room before each message. */
    private static final class FlowControlledSink<A> implements Consumer<A> {

        private final ServerCallStreamObserver<A> observer;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();

        FlowControlledSink(ServerCallStreamObserver<A> observer) {
            this.observer = observer;
            observer.setOnReadyHandler(this::wake);
            observer.setOnCancelHandler(this::wake);
        }

        @Override
        public void accept(A message) {
            lock.lock();
            try {
                while (!observer.isReady() && !observer.isCancelled()) {
                    changed.await();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CanceledException("interrupted while answering", e);
            } finally {
                lock.unlock();
            }
            if (observer.isCancelled()) {
                throw new CanceledException("the client gave up");
            }
            observer.onNext(message);
        }

        private void wake() {
            lock.lock();
            try {
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}
