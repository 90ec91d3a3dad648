package dev.longshore.shim;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A process of a container: its first, or one that was executed in it. The lock keeps the events in order: whoever makes or starts
 * the process holds it until he has told so, and only then its end is told.
 */
final class ContainerProcess {

    private final String execId;
    private final ProcessStdio.Addresses addresses;
    private final ReentrantLock telling = new ReentrantLock();
    private final CompletableFuture<Exit> exit = new CompletableFuture<>();
    private volatile int pid;
    private volatile boolean started;
    private volatile @Nullable PidFd handle;
    private volatile @Nullable ProcessStdio stdio;
    private volatile @Nullable TerminalProcess terminal;

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

    /** Of the process that keeps its terminal; 0 if there is none. */
    int terminalPid() {
        TerminalProcess current = terminal;
        return current == null ? 0 : current.pid();
    }

    boolean started() {
        return started;
    }

    void markStarted() {
        started = true;
    }

    /**
     * Takes up a process that an earlier shim made.
     *
     * @return whether it still runs
     */
    boolean adopt(TaskRecord record, ExitWatcher exits, IntConsumer onExit) throws IOException {
        pid = record.pid();
        started = record.started();
        stdio = ProcessStdio.reopen(addresses);
        if (record.terminalPid() != 0) {
            terminal = TerminalProcess.adopt(new TaskBundle(record.bundle()), execId, record.terminalPid(), exits);
        }
        PidFd opened;
        try {
            opened = PidFd.open(pid);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH) {
                return false;
            }
            throw e;
        }
        if (TaskRecord.startTime(pid) != record.startTime()) {
            opened.close(); // the pid is another's by now
            return false;
        }
        handle = opened;
        exits.watch(opened, onExit);
        return true;
    }

    /**
     * Has runc make the process.
     *
     * @param call {@code create}, {@code exec} or {@code restore}
     * @param flags before the container's id
     */
    void make(
            Runc runc,
            TaskHost host,
            TaskBundle bundle,
            String containerId,
            String call,
            List<String> flags,
            IntConsumer onExit)
            throws IOException {
        Path pidFile = bundle.pidFile(execId);
        Files.deleteIfExists(pidFile);
        List<String> arguments = new ArrayList<>(flags);
        arguments.add("--pid-file");
        arguments.add(pidFile.toString());
        ProcessStdio opened = ProcessStdio.open(addresses, containerId, host.namespace(), bundle.path());
        stdio = opened;
        Runc.Stdio redirects = opened.redirects();
        if (addresses.terminal()) {
            terminal = TerminalProcess.start(host.launcher(), bundle, execId, opened);
            arguments.add("--console-socket");
            arguments.add(TaskBundle.consoleSocket(execId));
            redirects = Runc.Stdio.NULL;
        }
        arguments.add(containerId);
        Lock making = host.exits().making();
        making.lock();
        try {
            runc.run(call, redirects, arguments);
            pid = TaskBundle.readPid(pidFile)
                    .orElseThrow(() -> new IOException("runc %s left no pid in %s".formatted(call, pidFile)));
            PidFd made = PidFd.open(pid);
            handle = made;
            host.exits().watch(made, onExit);
        } finally {
            making.unlock();
        }
    }

    void resize(int columns, int rows) throws IOException {
        TerminalProcess current = terminal;
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

    /** Lets the client see the end of the output. */
    void finishStdio() {
        try {
            TerminalProcess currentTerminal = terminal;
            if (currentTerminal != null) {
                currentTerminal.finish();
            }
            ProcessStdio current = stdio;
            if (current != null) {
                current.close();
            }
        } catch (IOException e) {
            ShimLog.warn("cannot close the stdio of process " + pid + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives up what was opened for a process that could not be made. */
    void abandon() throws IOException {
        TerminalProcess currentTerminal = terminal;
        if (currentTerminal != null) {
            currentTerminal.kill();
        }
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
        PidFd current = handle;
        if (exit.isDone() || current == null) {
            throw new NotFoundException("process already finished");
        }
        try {
            current.signal(signal);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH) {
                throw new NotFoundException("process already finished", e);
            }
            throw e;
        }
    }
}
