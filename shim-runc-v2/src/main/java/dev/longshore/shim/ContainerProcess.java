package dev.longshore.shim;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import dev.longshore.sdk.socket.ConsoleSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A process of a container: its first, or one that was executed in it. The lock keeps the events in order: whoever makes or starts
 * the process holds it until he has told so, and only then its end is told.
 */
final class ContainerProcess {

    private static final Duration CONSOLE_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration DRAIN_TIMEOUT = Duration.ofSeconds(2);

    private final String execId;
    private final ProcessStdio.Addresses addresses;
    private final ReentrantLock telling = new ReentrantLock();
    private final CompletableFuture<Exit> exit = new CompletableFuture<>();
    private volatile int pid;
    private volatile boolean started;
    private volatile @Nullable ProcessStdio stdio;
    private volatile @Nullable TerminalStdio terminal;

    /** @param status of a shell: the exit code, or 128 and the signal */
    record Exit(int status, Instant at) {}

    /** @param execId empty for the container's first process */
    ContainerProcess(String execId, ProcessStdio.Addresses addresses) {
        this.execId = execId;
        this.addresses = addresses;
    }

    String execId() {
        return execId;
    }

    ProcessStdio.Addresses addresses() {
        return addresses;
    }

    ReentrantLock telling() {
        return telling;
    }

    /** Completes when the process has ended and its end was published. */
    CompletableFuture<Exit> exit() {
        return exit;
    }

    /** 0 before it is made. */
    int pid() {
        return pid;
    }

    boolean started() {
        return started;
    }

    void markStarted() {
        started = true;
    }

    /** Takes up a process that an earlier shim made. */
    void adopt(int pid, boolean started, String containerId, String namespace, Path scratch) throws IOException {
        this.pid = pid;
        this.started = started;
        if (!addresses.terminal()) {
            stdio = ProcessStdio.open(addresses, containerId, namespace, scratch);
        }
    }

    /**
     * Has runc make the process.
     *
     * @param call {@code create}, {@code exec} or {@code restore}
     * @param flags before the container's id
     */
    void make(Runc runc, TaskBundle bundle, String namespace, String containerId, String call, List<String> flags)
            throws IOException {
        Path pidFile = bundle.pidFile(execId);
        Files.deleteIfExists(pidFile);
        List<String> arguments = new ArrayList<>(flags);
        arguments.add("--pid-file");
        arguments.add(pidFile.toString());
        if (addresses.terminal()) {
            makeOnTerminal(runc, containerId, call, arguments);
        } else {
            ProcessStdio opened = ProcessStdio.open(addresses, containerId, namespace, bundle.path());
            stdio = opened;
            arguments.add(containerId);
            runc.run(call, opened.redirects(), arguments);
        }
        pid = TaskBundle.readPid(pidFile)
                .orElseThrow(() -> new IOException("runc %s left no pid in %s".formatted(call, pidFile)));
    }

    private void makeOnTerminal(Runc runc, String containerId, String call, List<String> arguments) throws IOException {
        // Not in the bundle: the name of a socket must be short.
        Path folder = Files.createTempDirectory("pty");
        try (ConsoleSocket socket = new ConsoleSocket(folder.resolve("s"))) {
            CompletableFuture<ConsoleSocket.Terminal> received = new CompletableFuture<>();
            Thread.ofPlatform().daemon(true).name("console").start(() -> {
                try {
                    received.complete(socket.receive(CONSOLE_TIMEOUT));
                } catch (IOException e) {
                    received.completeExceptionally(e);
                }
            });
            arguments.add("--console-socket");
            arguments.add(socket.path().toString());
            arguments.add(containerId);
            runc.run(call, Runc.Stdio.NULL, arguments);
            TerminalStdio copied = new TerminalStdio(received.join(), addresses);
            terminal = copied;
            copied.start();
        } finally {
            Files.deleteIfExists(folder);
        }
    }

    void resize(int columns, int rows) throws ErrnoException {
        TerminalStdio current = terminal;
        if (current == null) {
            throw new FailedPreconditionException("the process has no terminal");
        }
        current.resize(columns, rows);
    }

    void closeStdin() throws IOException {
        ProcessStdio current = stdio;
        if (current != null) {
            current.closeStdin();
        }
    }

    /** Notes the end; the client then sees the end of the output. */
    void ended(int status) {
        try {
            ProcessStdio current = stdio;
            if (current != null) {
                current.close();
            }
            TerminalStdio currentTerminal = terminal;
            if (currentTerminal != null) {
                currentTerminal.awaitDrained(DRAIN_TIMEOUT);
                currentTerminal.close();
            }
        } catch (IOException e) {
            ShimLog.warn("cannot close the stdio of process " + pid + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives up what was opened for a process that could not be made. */
    void abandon() throws IOException {
        ProcessStdio current = stdio;
        if (current != null) {
            current.close();
        }
    }

    Optional<Exit> exited() {
        return exit.isDone() ? Optional.of(exit.join()) : Optional.empty();
    }

    /** @throws NotFoundException if it has ended */
    void signal(int signal) throws IOException {
        if (exit.isDone() || pid == 0) {
            throw new NotFoundException("process already finished");
        }
        try (PidFd process = PidFd.open(pid)) {
            process.signal(signal);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH) {
                throw new NotFoundException("process already finished", e);
            }
            throw e;
        }
    }
}
