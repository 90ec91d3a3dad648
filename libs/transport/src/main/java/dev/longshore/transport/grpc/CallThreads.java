package dev.longshore.transport.grpc;

import io.grpc.Context;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCallExecutorSupplier;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The threads that calls run on. What gRPC tells of a call is dealt with on the event loop; only the work is handed over, once it
 * has all that it needs:
 *
 * <ul>
 *   <li>a unary call to one of a few platform threads that are kept for a while, or, when all are taken, to a virtual one. The
 *       short calls that make up a container's life cost half as much processor time that way, since a virtual thread must be
 *       mounted, unmounted and scheduled for each;
 *   <li>a call with a stream to a virtual thread: it may last.
 * </ul>
 *
 * A unary call that waits for long starts a virtual thread of its own, so that it keeps none of the few.
 */
final class CallThreads implements ServerInterceptor, ServerCallExecutorSupplier, AutoCloseable {

    private static final int KEPT = 8;
    private static final Duration IDLE = Duration.ofSeconds(10);

    private final ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor();
    private final ThreadPoolExecutor kept;

    /** @param name of the threads, with a number */
    CallThreads(String name) {
        this.kept = new ThreadPoolExecutor(
                0,
                KEPT,
                IDLE.toSeconds(),
                TimeUnit.SECONDS,
                new SynchronousQueue<>(),
                new DefaultThreadFactory(name, true),
                (work, pool) -> virtual.execute(work));
    }

    /** What a client streams comes message by message, and dealing with one may block. */
    @Override
    public <Q, A> Executor getExecutor(ServerCall<Q, A> call, Metadata headers) {
        return call.getMethodDescriptor().getType().clientSendsOneMessage() ? Runnable::run : virtual;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        ServerCall.Listener<Q> listener = next.startCall(call, headers);
        MethodType type = call.getMethodDescriptor().getType();
        if (!type.clientSendsOneMessage()) {
            return listener;
        }
        Executor threads = type == MethodType.UNARY ? kept : virtual;
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onHalfClose() {
                threads.execute(Context.current().wrap(super::onHalfClose));
            }
        };
    }

    /**
     * Interrupts what still runs.
     *
     * @return whether all of it ended within {@code patience}
     */
    boolean end(Duration patience) throws InterruptedException {
        kept.shutdownNow();
        virtual.shutdownNow();
        return kept.awaitTermination(patience.toMillis(), TimeUnit.MILLISECONDS)
                && virtual.awaitTermination(patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() {
        kept.shutdownNow();
        virtual.shutdownNow();
    }
}
