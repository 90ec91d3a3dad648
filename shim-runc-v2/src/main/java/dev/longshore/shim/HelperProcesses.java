package dev.longshore.shim;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PidFd;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What a runtime leaves running beside the container's first process: gVisor has a program of its own for the files. They became
 * children of this process when the runtime ended. Its {@code delete} waits until they are gone, which they are not before somebody
 * has taken note of their end.
 */
final class HelperProcesses {

    private static final long SELF = ProcessHandle.current().pid();

    private HelperProcesses() {}

    /** To be called when the runtime has made a container: those whose command lines name its bundle are its helpers. */
    static void watch(Path bundle, int init, ExitWatcher exits) throws IOException {
        // The kernel gives orphans to a process' first thread.
        String children = Files.readString(Path.of("/proc/self/task/%d/children".formatted(SELF)));
        for (String child : children.strip().split(" ", -1)) {
            if (!child.isEmpty() && Integer.parseInt(child) != init && isHelper(child, bundle)) {
                try {
                    exits.watch(PidFd.open(Integer.parseInt(child)), status -> {});
                } catch (ErrnoException e) {
                    ShimLog.warn("cannot watch process " + child + " of bundle " + bundle + ": " + e.getMessage());
                }
            }
        }
    }

    private static boolean isHelper(String pid, Path bundle) {
        try {
            String commandLine =
                    new String(Files.readAllBytes(Path.of("/proc", pid, "cmdline")), StandardCharsets.UTF_8);
            return List.of(commandLine.split("\0", -1)).contains(bundle.toString());
        } catch (IOException e) {
            return false; // it has ended, and its parent is another
        }
    }
}
