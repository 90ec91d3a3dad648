package dev.longshore.daemon.boot;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches the folders that imported files are in, and tells when something in them has changed and then been left alone for
 * a moment: files come in several, and in pieces. A folder that is not there yet is watched for in the one above it.
 */
final class ConfigWatch implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ConfigWatch.class);

    /** Without any change, for a change to be over. */
    private static final Duration QUIET = Duration.ofMillis(200);

    /** Changes that go on and on are not waited out for longer than this many quiet times. */
    private static final int MOST_WAITS = 25;

    private final Set<Path> folders = new HashSet<>();
    private final Consumer<String> changed;
    private final WatchService watcher;
    private final Map<WatchKey, Path> keys = new HashMap<>();
    private final Thread thread;

    /**
     * @param patterns of imported files: absolute
     * @param changed told why it is called; runs on the thread that watches
     */
    ConfigWatch(List<Path> patterns, Consumer<String> changed) throws IOException {
        patterns.forEach(pattern -> folders.add(folder(pattern)));
        this.changed = changed;
        this.watcher = FileSystems.getDefault().newWatchService();
        this.thread = Thread.ofVirtual().name("config-watch").unstarted(this::watch);
        register();
        thread.start();
    }

    /** The folder of the files that match: the part before the first that is a pattern. */
    private static Path folder(Path pattern) {
        Path folder = Path.of("/");
        for (int i = 0; i < pattern.getNameCount() - 1; i++) {
            Path part = pattern.getName(i);
            if (part.toString().chars().anyMatch(c -> c == '*' || c == '?' || c == '[')) {
                break;
            }
            folder = folder.resolve(part);
        }
        return folder;
    }

    private void register() throws IOException {
        keys.keySet().removeIf(key -> !key.isValid());
        for (Path folder : folders) {
            Path present = folder;
            for (int names = folder.getNameCount() - 1; !Files.isDirectory(present); names--) {
                present = names > 0 ? Path.of("/").resolve(folder.subpath(0, names)) : Path.of("/");
            }
            keys.put(
                    present.register(
                            watcher,
                            StandardWatchEventKinds.ENTRY_CREATE,
                            StandardWatchEventKinds.ENTRY_MODIFY,
                            StandardWatchEventKinds.ENTRY_DELETE),
                    present);
        }
    }

    private void watch() {
        try {
            while (true) {
                boolean concerned = isConcerned(watcher.take());
                WatchKey more = watcher.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS);
                for (int i = 0; more != null && i < MOST_WAITS; i++) {
                    concerned |= isConcerned(more);
                    more = watcher.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS);
                }
                if (more != null) {
                    concerned |= isConcerned(more);
                }
                register();
                if (concerned) {
                    changed.accept("a folder of imported files has changed");
                }
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            // Closed.
        } catch (IOException e) {
            log.atError()
                    .setCause(e)
                    .log("folders of imported files cannot be watched any more: send SIGHUP after a change");
        }
    }

    /** Whether it is a file that may be imported, or the way to one, that has changed. */
    private boolean isConcerned(WatchKey key) {
        Path watched = keys.getOrDefault(key, Path.of("/"));
        boolean concerned = folders.contains(watched);
        List<WatchEvent<?>> events = key.pollEvents();
        key.reset();
        return concerned
                ? !events.isEmpty()
                : events.stream()
                        .anyMatch(event -> event.context() == null
                                || (event.context() instanceof Path name && isOnTheWay(watched.resolve(name))));
    }

    private boolean isOnTheWay(Path path) {
        return folders.stream().anyMatch(folder -> folder.startsWith(path));
    }

    @Override
    public void close() throws IOException {
        watcher.close();
        thread.interrupt();
    }
}
