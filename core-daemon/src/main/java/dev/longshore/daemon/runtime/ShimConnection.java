package dev.longshore.daemon.runtime;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;

/** A connection to a shim, whatever protocol it speaks. Safe for use by many threads. */
interface ShimConnection extends AutoCloseable {

    /**
     * Calls {@code method} of {@code service} and waits for the answer.
     *
     * @throws ContainerdException of the class that the shim answered
     * @throws UnavailableException if the connection was lost
     * @throws DeadlineExceededException if there was no answer in time
     */
    <A extends MessageLite> A call(
            String service, String method, MessageLite request, Parser<A> parser, Deadline deadline);

    /** Whether it was lost or closed. */
    boolean isClosed();

    @Override
    void close();

    /** Makes connections. */
    interface Connector {

        /**
         * @param bundle whose shim it is
         * @param onClose run once when the connection is lost or closed, on any thread
         * @throws UnavailableException if nobody listens
         * @throws UnimplementedException for a protocol or kind of address that it does not know
         */
        ShimConnection connect(Bundle bundle, BootstrapAnswer answer, Deadline deadline, Runnable onClose);
    }
}
