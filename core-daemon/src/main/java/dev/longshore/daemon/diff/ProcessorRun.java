package dev.longshore.daemon.diff;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.ChildPipe;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One run of a stream processor: what it makes of a stream. It is read to its end, then {@link #finish} says whether that was all, and
 * right. Whatever the program does, no call here lasts beyond the deadline.
 */
final class ProcessorRun extends InputStream {

    /** Bytes of a payload: what is sure to fit into a pipe, so that it never waits for a program that does not read it. */
    static final int MAX_PAYLOAD = 512 << 10;

    /** How long a program that has said all may take to end if the call itself allows for more. */
    private static final long ENDING_SECONDS = 60;

    private static final int COPY = 256 << 10;

    /** Has the payload as descriptor 3, which a JVM cannot hand over by itself, and is gone before the program starts. */
    private static final String WITH_PAYLOAD = "exec \"$@\" 3<\"$0\"";

    private final StreamProcessor processor;
    private final Deadline deadline;
    private final InputStream source;
    private final ChildPipe input = ChildPipe.open();
    private final ChildPipe output = ChildPipe.open();
    private final ChildPipe errors = ChildPipe.open();
    private final @Nullable ChildPipe payload;
    private final Process process;
    private final ErrorText said = new ErrorText();
    private final Thread feeder;
    private final Thread listener;
    private volatile boolean closed;

    /** Whether the end that was read was not that of the output. */
    private volatile boolean cutOff;

    private volatile boolean overdue;
    private volatile @Nullable IOException sourceFailure;

    /**
     * Starts the program.
     *
     * @param source read until its end, by a thread of the run; not closed
     * @throws FailedPreconditionException if it cannot be started
     */
    ProcessorRun(
            StreamProcessor processor,
            Path program,
            String mediaType,
            Optional<TypedValue> payload,
            InputStream source,
            Deadline deadline)
            throws IOException {
        this.processor = processor;
        this.deadline = deadline;
        this.source = source;
        try {
            this.payload = payload.isPresent() ? filled(payload.get()) : null;
            this.process = start(program, mediaType);
        } catch (IOException | RuntimeException e) {
            closePipes();
            throw e;
        }
        input.closeReading();
        output.closeWriting();
        errors.closeWriting();
        // Platform threads: the calls below them block.
        listener = Thread.ofPlatform().name("processor-errors").daemon(true).start(this::listen);
        feeder = Thread.ofPlatform().name("processor-input").daemon(true).start(this::feed);
    }

    private ChildPipe filled(TypedValue value) throws IOException {
        byte[] any = any(value);
        if (any.length > MAX_PAYLOAD) {
            throw new FailedPreconditionException(
                    "the payload for stream processor \"%s\" has %d bytes, the limit is %d"
                            .formatted(processor.id(), any.length, MAX_PAYLOAD));
        }
        ChildPipe pipe = ChildPipe.open();
        if (!pipe.write(any, 0, any.length, () -> false)) {
            pipe.close();
            throw new FailedPreconditionException(
                    "the payload of %d bytes for stream processor \"%s\" does not fit into a pipe: raise fs.pipe-max-size"
                            .formatted(any.length, processor.id()));
        }
        pipe.closeWriting();
        return pipe;
    }

    /** {@code google.protobuf.Any} of two fields, as the program reads it. */
    static byte[] any(TypedValue value) {
        ByteArrayOutputStream any = new ByteArrayOutputStream();
        field(any, 1, value.typeUrl().getBytes(StandardCharsets.UTF_8));
        field(any, 2, value.value());
        return any.toByteArray();
    }

    private static void field(ByteArrayOutputStream message, int number, byte[] bytes) {
        message.write((number << 3) | 2);
        int rest = bytes.length;
        for (; rest > 0x7f; rest >>>= 7) {
            message.write((rest & 0x7f) | 0x80);
        }
        message.write(rest);
        message.writeBytes(bytes);
    }

    private Process start(Path program, String mediaType) {
        List<String> command = new ArrayList<>();
        if (payload != null) {
            command.addAll(
                    List.of("/bin/sh", "-c", WITH_PAYLOAD, payload.forReading().toString()));
        }
        command.add(program.toString());
        command.addAll(processor.args());
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(input.forReading())
                .redirectOutput(output.forWriting())
                .redirectError(errors.forWriting());
        for (String variable : processor.env()) {
            int equals = variable.indexOf('=');
            builder.environment().put(variable.substring(0, equals), variable.substring(equals + 1));
        }
        builder.environment().put("STREAM_PROCESSOR_MEDIATYPE", mediaType);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new FailedPreconditionException(
                    "stream processor \"%s\" cannot be run: %s".formatted(processor.id(), e.getMessage()), e);
        }
    }

    private boolean inTime() {
        return !closed && !deadline.remaining().isZero();
    }

    private void feed() {
        byte[] buffer = new byte[COPY];
        try {
            boolean reads = true;
            for (int count = source.read(buffer); count >= 0; count = source.read(buffer)) {
                reads = reads && input.write(buffer, 0, count, () -> inTime() && process.isAlive());
                // What the program does not want is read all the same if another program has to get rid of it.
                if (!reads && !(source instanceof ProcessorRun)) {
                    break;
                }
            }
        } catch (IOException e) {
            sourceFailure = e;
        } catch (RuntimeException e) {
            sourceFailure = new IOException(e.getMessage(), e);
        } finally {
            if (sourceFailure != null) {
                // A program must not take half a stream for all of it.
                kill();
            }
            input.closeWriting();
        }
    }

    private void listen() {
        byte[] buffer = new byte[4 << 10];
        try {
            while (true) {
                int count = errors.read(buffer, 0, buffer.length, () -> inTime() && process.isAlive());
                if (count <= 0) {
                    return;
                }
                said.add(buffer, count);
            }
        } catch (ErrnoException e) {
            said.add(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    /** The end is the end of what there is: only {@link #finish} tells whether the program was content. */
    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        int count = output.read(
                buffer,
                offset,
                length,
                () -> inTime() && !hasFailed() && !Thread.currentThread().isInterrupted());
        if (count == 0) {
            cutOff = true;
            return -1;
        }
        return count;
    }

    /** Whether it is known to have gone wrong. */
    private boolean hasFailed() {
        return !process.isAlive() && process.exitValue() != 0;
    }

    /**
     * Waits for the program to end, once everything that it wrote was read.
     *
     * @throws FailedPreconditionException if it failed
     * @throws DeadlineExceededException if it does not end; it is killed then
     * @throws IOException if what it was to read could not be read
     */
    void finish() throws IOException {
        try {
            boolean ended = process.waitFor(
                    Math.min(deadline.remaining().toNanos(), TimeUnit.SECONDS.toNanos(ENDING_SECONDS)),
                    TimeUnit.NANOSECONDS);
            if (!ended || (cutOff && deadline.remaining().isZero())) {
                overdue = true;
                kill();
            }
            feeder.join();
            listener.join();
            IOException failed = sourceFailure;
            if (failed != null) {
                throw failed;
            }
            if (overdue) {
                throw new DeadlineExceededException(
                        "stream processor \"%s\" (%s) did not end in time and was killed; it said: %s"
                                .formatted(processor.id(), processor.path(), said));
            }
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
            throw new CanceledException(
                    "stream processor \"%s\" was no longer waited for".formatted(processor.id()), e);
        }
        if (process.exitValue() != 0) {
            throw new FailedPreconditionException("stream processor \"%s\" (%s) failed with exit status %d: %s"
                    .formatted(processor.id(), processor.path(), process.exitValue(), said));
        }
    }

    /**
     * Like {@link #finish} for when what the program wrote makes no sense. One that runs on is no explanation, and is left to be
     * killed.
     */
    void explain() throws IOException {
        boolean late = deadline.remaining().isZero();
        try {
            if (late || sourceFailure != null || process.waitFor(1, TimeUnit.SECONDS)) {
                finish();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** Ends the program if it runs. Returns when {@link #source} is in nobody's use any more. */
    @Override
    public void close() {
        closed = true;
        kill();
        boolean interrupted = false;
        for (Thread thread : List.of(feeder, listener)) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        closePipes();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void closePipes() {
        input.close();
        output.close();
        errors.close();
        if (payload != null) {
            payload.close();
        }
    }
}
