package dev.longshore.daemon.runtime;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the daemon itself knows of a container's first process: its pid, a pidfd on it, and how it ended if that was told.
 * So the exit code is known even if shim and container die together. The kernel tells the code of somebody else's child
 * from 6.15 on, and only through a descriptor opened before its parent reaped it.
 */
final class InitProcess implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(InitProcess.class);

    private static final Duration REAP_POLL = Duration.ofMillis(5);

    private final Bundle bundle;
    private int pid;
    private @Nullable PidFd pidFd;
    private @Nullable Exit exit;
    private boolean shimWasReplaced;

    InitProcess(Bundle bundle) {
        this.bundle = bundle;
    }

    /** Opens the pidfd; one that is open already stays. */
    synchronized void running(int pid) {
        if (pid <= 0 || (pidFd != null && this.pid == pid)) {
            return;
        }
        close();
        this.pid = pid;
        try {
            pidFd = PidFd.open(pid);
        } catch (ErrnoException e) {
            // Gone already, and reaped: the shim knows more than we could.
            LOG.atDebug()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("No pidfd for the container's process");
        }
    }

    synchronized int pid() {
        return pid;
    }

    /** The shim has told how it ended. */
    synchronized void exited(Exit told) {
        if (exit == null) {
            exit = told;
        }
    }

    synchronized boolean exitWasTold() {
        return exit != null;
    }

    /** Another shim has taken over, which may have missed the end. */
    synchronized void shimWasReplaced() {
        shimWasReplaced = true;
    }

    /** How it ended, for when there is no shim to ask; empty if it runs, or if nobody can know. */
    synchronized Optional<Exit> exitWithoutShim() {
        if (exit == null) {
            OptionalInt status = pidFd == null ? OptionalInt.empty() : pidFd.exitStatus();
            if (status.isPresent()) {
                exit = new Exit(pid, status.getAsInt(), Instant.now());
            }
        }
        return Optional.ofNullable(exit);
    }

    /** As {@link #exitWithoutShim}, for a process whose shim was lost just now: it is killed for that. Waits without a call that blocks. */
    Optional<Exit> soonExitWithoutShim(Duration timeout) {
        long end = System.nanoTime() + timeout.toNanos();
        Optional<Exit> known = exitWithoutShim();
        while (known.isEmpty() && System.nanoTime() < end) {
            LockSupport.parkNanos(REAP_POLL.toNanos());
            known = exitWithoutShim();
        }
        return known;
    }

    /** As {@link #exitWithoutShim}, for a process that has been killed just now. */
    Optional<Exit> awaitExitWithoutShim(Duration timeout) {
        PidFd current;
        synchronized (this) {
            current = pidFd;
        }
        if (current != null) {
            long end = System.nanoTime() + timeout.toNanos();
            try {
                current.awaitEnd(timeout);
                // Ended is not reaped: the code comes when its new parent gets to it.
                while (exitWithoutShim().isEmpty() && System.nanoTime() < end) {
                    LockSupport.parkNanos(REAP_POLL.toNanos());
                }
            } catch (ErrnoException e) {
                LOG.atDebug().addKeyValue("id", bundle.id()).setCause(e).log("Cannot wait on a pidfd");
            }
        }
        return exitWithoutShim();
    }

    /** What the shim told, unless it is a later one that cannot have seen the end. */
    synchronized Exit corrected(Exit told) {
        if (!shimWasReplaced) {
            return told;
        }
        return exitWithoutShim()
                .map(known ->
                        new Exit(known.pid(), known.status(), told.at().equals(Instant.EPOCH) ? known.at() : told.at()))
                .orElse(told);
    }

    @Override
    public synchronized void close() {
        if (pidFd != null) {
            pidFd.close();
            pidFd = null;
        }
    }
}
