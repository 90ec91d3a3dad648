package dev.longshore.shim;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The process that keeps the controlling side of a terminal and copies what is printed and typed, {@code terminal.c}. It outlives
 * the shim, and the next one takes it over.
 */
final class TerminalProcess {

    /** It drains for two seconds when it is told of the end. */
    private static final long END_SECONDS = 5;

    private static final int SIGKILL = 9;

    private final TaskBundle bundle;
    private final String execId;
    private final int pid;
    private final CompletableFuture<?> end;

    private TerminalProcess(TaskBundle bundle, String execId, int pid, CompletableFuture<?> end) {
        this.bundle = bundle;
        this.execId = execId;
        this.pid = pid;
        this.end = end;
    }

    /** Starts one, and waits until runc may hand a terminal over at {@link TaskBundle#consoleSocket}. */
    static TerminalProcess start(Path launcher, TaskBundle bundle, String execId, ProcessStdio stdio)
            throws IOException {
        Process process = new ProcessBuilder(List.of(
                        launcher.toString(),
                        "terminal",
                        TaskBundle.terminal(execId),
                        argument(stdio.stdin()),
                        argument(stdio.stdout())))
                .directory(bundle.path().toFile())
                .redirectInput(Redirect.from(new File("/dev/null")))
                .redirectError(Redirect.INHERIT)
                .start();
        try (InputStream ready = process.getInputStream()) {
            if (ready.read() < 0) {
                process.destroyForcibly();
                throw new UnavailableException(
                        "no terminal for a process in %s: the shim's log says why".formatted(bundle.path()));
            }
        }
        return new TerminalProcess(bundle, execId, (int) process.pid(), process.onExit());
    }

    private static String argument(Optional<Path> file) {
        return file.map(Path::toString).orElse("-");
    }

    /** Takes one over that an earlier shim has started; it may have ended. */
    static TerminalProcess adopt(TaskBundle bundle, String execId, int pid, ExitWatcher exits) throws IOException {
        CompletableFuture<Integer> end = new CompletableFuture<>();
        try {
            PidFd process = PidFd.open(pid);
            // The pid may be another's by now; who works in this bundle is none other.
            if (Files.isSameFile(Path.of("/proc", Integer.toString(pid), "cwd"), bundle.path())) {
                exits.watch(process, end::complete);
                return new TerminalProcess(bundle, execId, pid, end);
            }
            process.close();
        } catch (ErrnoException | NoSuchFileException e) {
            ShimLog.warn("the terminal of a process in " + bundle.path() + " is gone");
        }
        end.complete(0);
        return new TerminalProcess(bundle, execId, 0, end);
    }

    int pid() {
        return pid;
    }

    void resize(int columns, int rows) throws IOException {
        if (end.isDone()) {
            throw new FailedPreconditionException("the terminal is gone: nobody uses it any more");
        }
        command(columns, rows);
    }

    private void command(int columns, int rows) throws IOException {
        ByteBuffer command = ByteBuffer.allocate(4)
                .putShort((short) columns)
                .putShort((short) rows)
                .flip();
        // For reading, too: that opens a fifo without waiting for the other side.
        try (FileChannel control =
                FileChannel.open(bundle.terminalControl(execId), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            control.write(command);
        }
    }

    /** Returns when everything that was printed has been copied, or cannot be. */
    void finish() throws InterruptedException {
        try {
            if (!end.isDone()) {
                command(0, 0);
            }
        } catch (IOException e) {
            assert e.getMessage() != null; // it has just ended
        }
        try {
            Object _ = end.get(END_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            ShimLog.warn("the terminal of a process in " + bundle.path() + " does not end: it is killed");
            kill();
        }
    }

    /** For a process that could not be made. */
    void kill() {
        if (!end.isDone()) {
            try (PidFd process = PidFd.open(pid)) {
                process.signal(SIGKILL);
            } catch (ErrnoException e) {
                assert e.getMessage() != null; // it has just ended
            }
        }
    }
}
