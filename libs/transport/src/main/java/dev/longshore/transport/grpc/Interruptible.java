package dev.longshore.transport.grpc;

import io.grpc.Context;
import java.util.function.Supplier;

/** Work that ends when nobody waits for it any more. */
public final class Interruptible {

    private final Thread thread = Thread.currentThread();
    private boolean interrupted;
    private boolean done;

    private Interruptible() {}

    /**
     * Does {@code work} on this thread, and interrupts it when the call that this thread serves is canceled or its deadline passes.
     * Only for work that is able to stop half-way.
     */
    public static <T> T call(Supplier<T> work) {
        Interruptible interruptible = new Interruptible();
        Context context = Context.current();
        Context.CancellationListener listener = _ -> interruptible.interrupt();
        context.addListener(listener, Runnable::run);
        try {
            return work.get();
        } finally {
            context.removeListener(listener);
            interruptible.end();
        }
    }

    private synchronized void interrupt() {
        if (!done) {
            interrupted = true;
            thread.interrupt();
        }
    }

    /** The thread goes on to serve other calls, which are not canceled. */
    private synchronized void end() {
        done = true;
        if (interrupted) {
            boolean _ = Thread.interrupted();
        }
    }
}
