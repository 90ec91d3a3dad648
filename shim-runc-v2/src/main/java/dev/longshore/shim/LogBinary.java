package dev.longshore.shim;

import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.linux.Fifo;
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

/**
 * A program that takes the output of a container: {@code binary:///path?key=value}. It gets {@code key value} as arguments, nothing
 * but the container's id and namespace in its environment, standard output as descriptor 3, standard error as 4, and says on 5
 * that it is ready: by closing it, or with {@code binary-v2} by a byte.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md#logging">logging</a>
 */
final class LogBinary {

    private static final long READY_SECONDS = 10;
    private static final long END_SECONDS = 10;

    /** The JDK cannot hand descriptors above 2 to a child; the shell can. */
    private static final String PLUMB =
            "out=$1 err=$2 ready=$3; shift 3; exec \"$@\" 3<\"$out\" 4<\"$err\" 5>\"$ready\"";

    private final Process process;
    private final Path folder;

    private LogBinary(Process process, Path folder) {
        this.process = process;
        this.folder = folder;
    }

    /**
     * Starts it, and waits until it is ready.
     *
     * @throws NotFoundException if it is not there
     * @throws UnavailableException if it does not become ready
     */
    static LogBinary start(URI uri, String containerId, String namespace, Path scratch) throws IOException {
        if (!Files.isExecutable(Path.of(uri.getPath()))) {
            throw new NotFoundException(
                    "logging program %s is not there, or cannot be executed".formatted(uri.getPath()));
        }
        Path folder = Files.createTempDirectory(scratch, "log");
        for (String name : List.of("out", "err", "ready")) {
            Fifo.make(folder.resolve(name), 0600);
        }
        Path ready = folder.resolve("ready");
        List<String> command = new ArrayList<>(List.of(
                "/bin/sh",
                "-c",
                PLUMB,
                "sh",
                folder.resolve("out").toString(),
                folder.resolve("err").toString(),
                ready.toString(),
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
                .redirectInput(Redirect.from(new java.io.File("/dev/null")))
                .redirectOutput(Redirect.DISCARD)
                .redirectError(Redirect.INHERIT);
        builder.environment().clear();
        builder.environment().put("CONTAINER_ID", containerId);
        builder.environment().put("CONTAINER_NAMESPACE", namespace);
        // Holds the shell's opens of the output pipes up for nobody.
        try (var out = new java.io.RandomAccessFile(folder.resolve("out").toFile(), "rw");
                var err = new java.io.RandomAccessFile(folder.resolve("err").toFile(), "rw")) {
            LogBinary binary = new LogBinary(builder.start(), folder);
            binary.awaitReady(ready, uri, "binary-v2".equals(uri.getScheme()));
            return binary;
        }
    }

    private void awaitReady(Path ready, URI uri, boolean byteNeeded) {
        CompletableFuture<Integer> told = new CompletableFuture<>();
        Thread.ofPlatform().daemon(true).name("log-ready").start(() -> {
            try (FileInputStream in = new FileInputStream(ready.toFile())) {
                told.complete(in.read());
            } catch (IOException e) {
                told.completeExceptionally(e);
            }
        });
        try {
            if (told.get(READY_SECONDS, TimeUnit.SECONDS) >= 0 || !byteNeeded) {
                if (process.isAlive() || process.exitValue() == 0) {
                    return;
                }
            }
        } catch (ExecutionException | TimeoutException e) {
            process.destroyForcibly();
            throw new UnavailableException(
                    "logging program %s did not become ready in time".formatted(uri.getPath()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
        throw new UnavailableException("logging program %s ended before it was ready".formatted(uri.getPath()));
    }

    Path stdout() {
        return folder.resolve("out");
    }

    Path stderr() {
        return folder.resolve("err");
    }

    /** Lets it read what is left, then asks it to end, then ends it. Does not wait. */
    void finish() {
        Thread.startVirtualThread(() -> {
            try {
                if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                    process.destroy();
                }
                if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
                for (Path file : List.of(stdout(), stderr(), folder.resolve("ready"), folder)) {
                    Files.deleteIfExists(file);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                ShimLog.warn("cannot remove " + folder + ": " + e.getMessage());
            }
        });
    }
}
