package dev.longshore.sdk.signal;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * That the process is told to end (SIGTERM, SIGINT), heard from the moment when this is made. It is to be made before anybody can
 * use the program: a process that is told earlier ends at once, and cuts off whoever has just come.
 *
 * <p>The JVM halts when its hooks are done, so it is kept from that until this is closed, behind all that the program closes.
 */
public final class EndSignal implements AutoCloseable {

    private final CountDownLatch told = new CountDownLatch(1);
    private final CountDownLatch done = new CountDownLatch(1);

    private EndSignal() {}

    /** @param patience for the program to close what it has, after which it is cut off */
    public static EndSignal listen(Duration patience) {
        EndSignal signal = new EndSignal();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> signal.hear(patience), "shutdown"));
        return signal;
    }

    private void hear(Duration patience) {
        told.countDown();
        try {
            var _ = done.await(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns when the process is told to end. */
    public void await() throws InterruptedException {
        told.await();
    }

    /** The process may end. */
    @Override
    public void close() {
        done.countDown();
    }
}
