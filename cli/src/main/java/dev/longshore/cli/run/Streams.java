package dev.longshore.cli.run;

import dev.longshore.sdk.linux.Fifo;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A process' standard streams: named pipes, whose other ends the shim opens, and threads that copy between them and this
 * program's own streams. Opening a named pipe waits for the other side, so threads of the platform do it.
 */
final class Streams implements AutoCloseable {

    private static final int BUFFER = 64 << 10;
    private static final int PERMISSIONS = 0600;

    private final Path folder;
    private final boolean interactive;
    private final boolean terminal;
    private final List<Thread> outputs = new ArrayList<>();

    private Streams(Path folder, boolean interactive, boolean terminal) {
        this.folder = folder;
        this.interactive = interactive;
        this.terminal = terminal;
    }

    /**
     * @param interactive whether there is an input
     * @param terminal whether all output comes in one stream
     */
    static Streams make(boolean interactive, boolean terminal) throws IOException {
        Streams streams = new Streams(Files.createTempDirectory("longshore-"), interactive, terminal);
        for (String path : List.of(streams.stdin(), streams.stdout(), streams.stderr())) {
            if (!path.isEmpty()) {
                Fifo.make(Path.of(path), PERMISSIONS);
            }
        }
        return streams;
    }

    /** The path of the pipe; empty if there is none. */
    String stdin() {
        return interactive ? folder.resolve("stdin").toString() : "";
    }

    String stdout() {
        return folder.resolve("stdout").toString();
    }

    /** A terminal has one output. */
    String stderr() {
        return terminal ? "" : folder.resolve("stderr").toString();
    }

    /**
     * Begins to copy.
     *
     * @param inputEnded called when {@code in} has ended, on a thread of this class
     */
    void copy(InputStream in, OutputStream out, OutputStream err, Runnable inputEnded) {
        if (interactive) {
            // Reading from a terminal cannot be interrupted: nobody waits for this one.
            thread("stdin", () -> {
                try (OutputStream pipe = new FileOutputStream(stdin())) {
                    transfer(in, pipe);
                }
                inputEnded.run();
            });
        }
        outputs.add(thread("stdout", () -> drain(stdout(), out)));
        if (!terminal) {
            outputs.add(thread("stderr", () -> drain(stderr(), err)));
        }
    }

    private static void drain(String path, OutputStream to) throws IOException {
        try (InputStream pipe = new FileInputStream(path)) {
            transfer(pipe, to);
        }
    }

    private static void transfer(InputStream from, OutputStream to) throws IOException {
        byte[] buffer = new byte[BUFFER];
        for (int count = from.read(buffer); count >= 0; count = from.read(buffer)) {
            to.write(buffer, 0, count);
            to.flush();
        }
    }

    private interface Copy {
        void run() throws IOException;
    }

    private static Thread thread(String name, Copy copy) {
        return Thread.ofPlatform().daemon().name(name).start(() -> {
            try {
                copy.run();
            } catch (IOException e) {
                // The reader of our output, or the process whose input this is, has gone: there is nobody to tell.
            }
        });
    }

    /**
     * Waits until all output has arrived, which is when everyone who can write it has ended; no longer than {@code patience}, because a
     * process left behind in the background may keep it open for ever.
     */
    void awaitOutput(Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        for (Thread output : outputs) {
            output.join(Duration.ofNanos(Math.max(1, end - System.nanoTime())));
        }
    }

    /** Lets go whoever waits for the other side of a pipe, and removes the pipes. */
    @Override
    public void close() {
        try {
            for (String path : List.of(stdin(), stdout(), stderr())) {
                if (!path.isEmpty()) {
                    // Open for both, which never waits and is what the waiting side waits for.
                    new RandomAccessFile(path, "rw").close();
                    Files.delete(Path.of(path));
                }
            }
            Files.delete(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
