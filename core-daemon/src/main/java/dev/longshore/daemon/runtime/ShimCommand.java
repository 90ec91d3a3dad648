package dev.longshore.daemon.runtime;

import com.google.protobuf.ByteString;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.Pipe;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * One run of a shim's program.
 *
 * @param folder where it runs
 * @param environment added to the daemon's own
 * @param input its standard input
 */
record ShimCommand(List<String> arguments, Optional<Path> folder, Map<String, String> environment, ByteString input) {

    /** Bytes: what a pipe holds, so that writing it does not wait for the program. */
    private static final int MAX_INPUT = 64 << 10;

    /** Characters of output in an error's message. */
    private static final int MAX_SHOWN = 1000;

    ShimCommand {
        arguments = List.copyOf(arguments);
        environment = Map.copyOf(environment);
        if (input.size() > MAX_INPUT) {
            throw new InvalidArgumentException(
                    "options of %d bytes for a shim, the limit is %d".formatted(input.size(), MAX_INPUT));
        }
    }

    /** How it ended and what it said. */
    record Result(int exitCode, ByteString output, String errors) {

        /** All that it said, cut for a message. */
        String said() {
            return shown(output.toStringUtf8() + errors);
        }
    }

    /**
     * @throws FailedPreconditionException if the program cannot be run
     * @throws DeadlineExceededException if it has not ended in time; it is killed then
     * @throws CanceledException if the thread was interrupted; it is killed then
     */
    Result run(Deadline deadline) {
        try (Pipe output = new Pipe();
                Pipe errors = new Pipe()) {
            return run(deadline, output, errors);
        } catch (ErrnoException e) {
            throw new InternalException("cannot run shim " + arguments.getFirst(), e);
        }
    }

    private Result run(Deadline deadline, Pipe output, Pipe errors) throws ErrnoException {
        ProcessBuilder builder =
                new ProcessBuilder(arguments).redirectOutput(output.writeEnd()).redirectError(errors.writeEnd());
        folder.ifPresent(path -> builder.directory(path.toFile()));
        builder.environment().putAll(environment);
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new FailedPreconditionException("cannot run shim " + arguments.getFirst() + ": " + e.getMessage(), e);
        }
        try {
            feed(process);
            if (!process.waitFor(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                kill(process);
                throw new DeadlineExceededException("shim %s %s did not end in time and was killed; it said: %s"
                        .formatted(
                                arguments.getFirst(),
                                arguments.getLast(),
                                result(-1, output, errors).said()));
            }
            return result(process.exitValue(), output, errors);
        } catch (InterruptedException e) {
            kill(process);
            Thread.currentThread().interrupt();
            throw new CanceledException("shim " + arguments.getFirst() + " was no longer waited for", e);
        }
    }

    private static Result result(int exitCode, Pipe output, Pipe errors) throws ErrnoException {
        return new Result(
                exitCode,
                ByteString.copyFrom(output.readAvailable()),
                new String(errors.readAvailable(), StandardCharsets.UTF_8));
    }

    private void feed(Process process) {
        try (OutputStream out = process.getOutputStream()) {
            input.writeTo(out);
        } catch (IOException e) {
            // A program that does not read its input is free to end before we wrote it: EPIPE.
        }
    }

    private static void kill(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    private static String shown(String text) {
        String stripped = text.strip();
        if (stripped.isEmpty()) {
            return "nothing";
        }
        String cut = stripped.length() <= MAX_SHOWN ? stripped : stripped.substring(0, MAX_SHOWN) + "...";
        return cut.replaceAll("\\p{Cntrl}+", " ");
    }
}
