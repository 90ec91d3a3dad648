package dev.longshore.shim;

import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.linux.Fifo;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A program that takes the output of a container: {@code binary:///path?key=value}. It gets {@code key value} as arguments, nothing
 * but the container's id and namespace in its environment, standard output as descriptor 3, standard error as 4, and says on 5
 * that it is ready: by closing it, or with {@code binary-v2} by a byte.
 *
 * <p>Whoever starts it holds a writing end of both pipes from before that until {@link #finish}: a moment without one is the end for
 * a program that reads.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md#logging">logging</a>
 */
final class LogBinary {

    private static final long READY_SECONDS = 10;
    private static final long END_SECONDS = 10;

    /** The JDK cannot hand descriptors above 2 to a child; the shell can. */
    private static final String PLUMB =
            "out=$1 err=$2 ready=$3; shift 3; exec \"$@\" 3<\"$out\" 4<\"$err\" 5>\"$ready\"";

    private final URI uri;
    private final Path folder;
    private @Nullable Process process;

    private LogBinary(URI uri, Path folder) {
        this.uri = uri;
        this.folder = folder;
    }

    /**
     * Makes the pipes.
     *
     * @throws NotFoundException if the program is not there
     */
    static LogBinary prepare(URI uri, Path scratch) throws IOException {
        if (!Files.isExecutable(Path.of(uri.getPath()))) {
            throw new NotFoundException(
                    "logging program %s is not there, or cannot be executed".formatted(uri.getPath()));
        }
        Path folder = Files.createTempDirectory(scratch, "log");
        for (String name : List.of("out", "err", "ready")) {
            Fifo.make(folder.resolve(name), 0600);
        }
        return new LogBinary(uri, folder);
    }

    /**
     * Starts it, and waits until it is ready.
     *
     * @throws UnavailableException if it does not become ready
     */
    void start(String containerId, String namespace) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "/bin/sh",
                "-c",
                PLUMB,
                "sh",
                stdout().toString(),
                stderr().toString(),
                ready().toString(),
                uri.getPath()));
        if (uri.getQuery() != null) {
            for (String pair : uri.getQuery().split("&", -1)) {
                int equals = pair.indexOf('=');
                command.add(equals < 0 ? pair : pair.substring(0, equals));
                if (equals >= 0 && equals + 1 < pair.length()) {
                    command.add(pair.substring(equals + 1));
                }
            }
        }
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(Redirect.from(new File("/dev/null")))
                .redirectOutput(Redirect.DISCARD)
                .redirectError(Redirect.INHERIT);
        builder.environment().clear();
        builder.environment().put("CONTAINER_ID", containerId);
        builder.environment().put("CONTAINER_NAMESPACE", namespace);
        Process started = builder.start();
        process = started;
        awaitReady(started);
    }

    private void awaitReady(Process started) {
        CompletableFuture<Integer> told = new CompletableFuture<>();
        Thread.ofPlatform().daemon(true).name("log-ready").start(() -> {
            try (FileInputStream in = new FileInputStream(ready().toFile())) {
                told.complete(in.read());
            } catch (IOException e) {
                told.completeExceptionally(e);
            }
        });
        try {
            if (told.get(READY_SECONDS, TimeUnit.SECONDS) >= 0 || !"binary-v2".equals(uri.getScheme())) {
                if (started.isAlive() || started.exitValue() == 0) {
                    return;
                }
            }
        } catch (ExecutionException | TimeoutException e) {
            started.destroyForcibly();
            throw new UnavailableException(
                    "logging program %s did not become ready in time".formatted(uri.getPath()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        started.destroyForcibly();
        throw new UnavailableException("logging program %s ended before it was ready".formatted(uri.getPath()));
    }

    Path stdout() {
        return folder.resolve("out");
    }

    Path stderr() {
        return folder.resolve("err");
    }

    private Path ready() {
        return folder.resolve("ready");
    }

    /** Lets it read what is left, then asks it to end, then ends it, and removes the pipes. Does not wait. */
    void finish() {
        Process started = process;
        Thread.startVirtualThread(() -> {
            try {
                if (started != null) {
                    end(started);
                }
                for (Path file : List.of(stdout(), stderr(), ready(), folder)) {
                    Files.deleteIfExists(file);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                ShimLog.warn("cannot remove " + folder + ": " + e.getMessage());
            }
        });
    }

    private static void end(Process started) throws InterruptedException {
        if (!started.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
            started.destroy();
        }
        if (!started.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
            started.destroyForcibly();
        }
    }
}
