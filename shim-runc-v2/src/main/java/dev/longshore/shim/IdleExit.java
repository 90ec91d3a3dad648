package dev.longshore.shim;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Ends the process when it has had no container for a while. It does so under the lock that the launcher takes for {@code start},
 * and removes the socket first, so that no daemon is sent to a socket that is about to go.
 */
final class IdleExit {

    /** Between the answer to a start and the call that makes the container. */
    private static final Duration GRACE = Duration.ofSeconds(10);

    private final Path socket;
    private final Path registry;
    private final Duration idle;
    private final Tasks tasks;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon(true).name("idle").factory());
    private @Nullable ScheduledFuture<?> pending;

    IdleExit(Path socket, Path registry, Duration idle, Tasks tasks) {
        this.socket = socket;
        this.registry = registry;
        this.idle = idle;
        this.tasks = tasks;
    }

    /** There is something to do: the time starts anew. */
    synchronized void busy() {
        ScheduledFuture<?> current = pending;
        if (current != null) {
            current.cancel(false);
            pending = null;
        }
    }

    /** If there is nothing to do, the time starts to run. */
    synchronized void maybe() {
        busy();
        if (tasks.isEmpty()) {
            pending = timer.schedule(this::exit, idle.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private void exit() {
        Path lockFile = Path.of(socket + ".lock");
        try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            if (!lock.isValid() || !tasks.isEmpty()) {
                return;
            }
            // The launcher has sent a daemon here that has not called yet.
            if (Files.getLastModifiedTime(lockFile)
                    .toInstant()
                    .isAfter(Instant.now().minus(GRACE))) {
                maybe();
                return;
            }
            Files.deleteIfExists(socket);
            Files.deleteIfExists(registry);
            Files.deleteIfExists(Path.of(socket + ".log"));
            Runtime.getRuntime().halt(0);
        } catch (NoSuchFileException e) {
            if (tasks.isEmpty()) { // the folder of the socket is gone, so nobody can come
                Runtime.getRuntime().halt(0);
            }
        } catch (IOException e) {
            ShimLog.warn("cannot end, and tries again later: " + e.getMessage());
            maybe();
        }
    }
}
