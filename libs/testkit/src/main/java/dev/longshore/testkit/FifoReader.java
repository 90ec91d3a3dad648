package dev.longshore.testkit;

import static org.awaitility.Awaitility.await;

import dev.longshore.sdk.linux.Fifo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A client that reads what a process writes to a fifo. It is a process, so that it can go away in the midst of a read. */
public final class FifoReader implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Path fifo;
    private final Path read;
    private final Process process;

    private FifoReader(Path fifo, Path read, Process process) {
        this.fifo = fifo;
        this.read = read;
        this.process = process;
    }

    /** Begins to read; {@code fifo} is made if it is not there. */
    public static FifoReader start(Path fifo) throws IOException {
        Fifo.make(fifo, 0700);
        Path read = Files.createTempFile(fifo.getParent(), fifo.getFileName().toString(), ".read");
        Process process = new ProcessBuilder("cat", fifo.toString())
                .redirectOutput(read.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        return new FifoReader(fifo, read, process);
    }

    public byte[] bytes() {
        try {
            return Files.readAllBytes(read);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public String text() {
        return new String(bytes(), StandardCharsets.UTF_8);
    }

    /** Waits until {@code part} has come. */
    public void awaitText(String part) {
        await("\"" + part + "\" from " + fifo).atMost(PATIENCE).until(() -> text().contains(part));
    }

    /** Waits until no process has the fifo open for writing any more; answers all that came. */
    public String awaitEnd() throws InterruptedException {
        if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            throw new AssertionError("output at %s does not end; it is so far: %s".formatted(fifo, text()));
        }
        return text();
    }

    /** Goes away: what is written from now on is not for this client. */
    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
