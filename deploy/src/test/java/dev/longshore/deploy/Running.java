package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A program that runs beside the test; killed when closed. */
final class Running implements AutoCloseable {

    private final List<String> command;
    private final Path output;
    private final Process process;

    private Running(List<String> command, Path output, Process process) {
        this.command = command;
        this.output = output;
        this.process = process;
    }

    static Running start(List<String> command) {
        try {
            Path output = Files.createTempFile("output", "");
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            return new Running(command, output, process);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What it has said so far, on both streams. */
    String said() {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void type(String text) {
        try {
            OutputStream in = process.getOutputStream();
            in.write(text.getBytes(StandardCharsets.UTF_8));
            in.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void endInput() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void awaitSaid(String part) {
        await().atMost(Programs.PATIENCE).until(() -> {
            boolean alive = process.isAlive();
            String said = said();
            if (!alive && !said.contains(part)) {
                throw new AssertionError("ended without saying \"%s\": %s: %s".formatted(part, command, said));
            }
            return said.contains(part);
        });
    }

    long pid() {
        return process.pid();
    }

    /** Sends SIGTERM. */
    void terminate() {
        process.destroy();
    }

    int awaitExit() {
        try {
            if (!process.waitFor(Programs.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError("did not end: " + command + ": " + said());
            }
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for " + command, e);
        }
    }

    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        awaitExit();
        try {
            Files.delete(output);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
