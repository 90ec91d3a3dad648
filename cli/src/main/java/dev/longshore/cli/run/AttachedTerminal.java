package dev.longshore.cli.run;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.Terminal;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * This program's own terminal while a container's is attached to it: raw, and watched for its size. Restored when closed, and
 * when the program ends otherwise.
 */
final class AttachedTerminal implements AutoCloseable {

    private static final long LOOK_MILLIS = 250;

    private final Terminal terminal = new Terminal(0);
    private final Terminal.Restore restore;
    private final Thread atExit;
    private final ScheduledExecutorService watch = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("terminal-size").factory());
    private Optional<Terminal.Size> told = Optional.empty();

    /** @param resized told of the size at once, and whenever it has changed */
    AttachedTerminal(Consumer<Terminal.Size> resized) throws ErrnoException {
        this.restore = terminal.raw();
        this.atExit = new Thread(this::restore);
        Runtime.getRuntime().addShutdownHook(atExit);
        look(resized);
        // The JDK has no supported way to be told of SIGWINCH, and a look costs a microsecond.
        var _ = watch.scheduleWithFixedDelay(() -> look(resized), LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look(Consumer<Terminal.Size> resized) {
        Optional<Terminal.Size> size;
        try {
            size = Optional.of(terminal.size());
        } catch (ErrnoException e) {
            return; // gone, and with it all interest in its size
        }
        if (!size.equals(told)) {
            told = size;
            resized.accept(size.orElseThrow());
        }
    }

    private void restore() {
        try {
            restore.close();
        } catch (ErrnoException e) {
            // The terminal has gone.
        }
    }

    @Override
    public void close() {
        watch.shutdownNow();
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // Ending already.
        }
    }
}
