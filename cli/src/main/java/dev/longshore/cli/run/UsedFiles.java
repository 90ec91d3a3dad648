package dev.longshore.cli.run;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileOpens;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Which files a program uses as it starts: its container is run for a while, and watched. Needs root. */
public final class UsedFiles {

    private static final Duration LOOK = Duration.ofMillis(100);

    /** How long the container has to end when its time is over. */
    private static final Duration END_PATIENCE = Duration.ofSeconds(10);

    private final Daemon daemon;

    public UsedFiles(Daemon daemon) {
        this.daemon = daemon;
    }

    /**
     * What was seen.
     *
     * @param paths of files in the container's root, without a slash before them, in the order of their first use
     * @param status of the container; of one that was ended when its time was over, that of the signal
     */
    public record Seen(List<String> paths, int status) {

        public Seen {
            paths = List.copyOf(paths);
        }
    }

    /** Runs a container in the foreground, for {@code period} at most, and removes it. */
    public Seen watch(Launch launch, Duration period) throws IOException, InterruptedException {
        Set<String> paths = new LinkedHashSet<>();
        Tasks tasks = new Tasks(daemon);
        String id = launch.spec().id();
        try (ScheduledExecutorService end = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("end-of-watch").factory())) {
            var _ = end.schedule(() -> tasks.kill(id, "", Tasks.SIGTERM), period.toMillis(), TimeUnit.MILLISECONDS);
            var _ = end.schedule(
                    () -> tasks.kill(id, "", Tasks.SIGKILL),
                    period.plus(END_PATIENCE).toMillis(),
                    TimeUnit.MILLISECONDS);
            try {
                int status = new Runner(daemon).runWatched(launch, folder -> new Collector(folder, paths));
                return new Seen(List.copyOf(paths), status);
            } finally {
                end.shutdownNow();
            }
        }
    }

    /** Collects on a thread of its own, until it is closed, when all that happened before is collected. */
    private static final class Collector implements Runner.Watch {

        private final String prefix;
        private final Set<String> into;
        private final FileOpens opens;
        private final CompletableFuture<Void> ended = new CompletableFuture<>();
        private volatile boolean closing;

        Collector(Path folder, Set<String> into) throws IOException {
            this.prefix = folder.toRealPath() + "/";
            this.into = into;
            this.opens = new FileOpens(folder);
            Thread.ofPlatform().name("watch-files").daemon().start(this::collect);
        }

        private void collect() {
            try (opens) {
                boolean last = false;
                for (List<String> paths = List.of(); !last || !paths.isEmpty(); ) {
                    last = closing;
                    paths = opens.await(last ? Duration.ZERO : LOOK);
                    paths.forEach(this::add);
                }
                ended.complete(null);
            } catch (ErrnoException | RuntimeException e) {
                ended.completeExceptionally(e);
            }
        }

        /** A path is below the folder where the runtime opened it before it had changed its root, else below the root. */
        private void add(String path) {
            into.add(path.startsWith(prefix) ? path.substring(prefix.length()) : path.replaceFirst("^/+", ""));
        }

        @Override
        public void close() throws IOException {
            closing = true;
            try {
                ended.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while a container was watched", e);
            } catch (ExecutionException e) {
                throw new IOException("the container's files could not be watched to the end: " + e.getCause(), e);
            }
        }
    }
}
