package dev.longshore.shim;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.function.IntPredicate;

/**
 * Processes of containers with the pids of the host whose parents have ended: they became children of this process, and somebody
 * must take note of their end. What the JDK starts is told from them by its session, which is this process' own; runc gives all
 * that it makes another.
 */
final class Orphans {

    private static final long SELF = ProcessHandle.current().pid();

    private Orphans() {}

    /** Reaps those that have ended and that nobody else reaps. */
    static void reap(IntPredicate unwatched) {
        try {
            String ownSession = stat("self")[3];
            // The kernel gives orphans to a process' first thread.
            String children = Files.readString(Path.of("/proc/self/task/%d/children".formatted(SELF)));
            for (String child : children.strip().split(" ", -1)) {
                if (!child.isEmpty() && unwatched.test(Integer.parseInt(child))) {
                    reap(child, ownSession);
                }
            }
        } catch (IOException e) {
            ShimLog.warn("cannot look for orphans: " + e.getMessage());
        }
    }

    private static void reap(String pid, String ownSession) {
        try {
            String[] stat = stat(pid);
            if (stat[0].equals("Z") && !stat[3].equals(ownSession)) {
                try (PidFd process = PidFd.open(Integer.parseInt(pid))) {
                    OptionalInt _ = process.reap();
                }
            }
        } catch (ErrnoException e) {
            ShimLog.warn("cannot reap process " + pid + ": " + e.getMessage());
        } catch (IOException e) {
            ShimLog.warn("process " + pid + " was reaped by another: " + e.getMessage());
        }
    }

    /** State, parent, process group and session of a process; see proc_pid_stat(5). */
    private static String[] stat(String pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", pid, "stat"));
        return stat.substring(stat.lastIndexOf(')') + 2).split(" ", 5);
    }
}
