package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A user namespace that nobody is in, for mounts that map owners. A JVM has too many threads to make one itself, so
 * unshare(1) does.
 */
public final class UserNamespace implements AutoCloseable {

    private final int fd;

    private UserNamespace(int fd) {
        this.fd = fd;
    }

    /**
     * Makes a namespace.
     *
     * @param uidMap lines as in /proc/pid/uid_map, see user_namespaces(7)
     * @param gidMap the same for groups
     * @throws IOException if the program is missing, or the kernel refuses the maps
     */
    public static UserNamespace create(String uidMap, String gidMap) throws IOException {
        // cat ends by itself when this process does: its standard input is closed then.
        Process process = new ProcessBuilder("unshare", "--user", "cat")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
            if (process.getInputStream().read() != '\n') {
                throw new IOException(
                        "unshare --user cat did not start: the kernel may not allow user namespaces (user.max_user_namespaces)");
            }
            Path folder = Path.of("/proc", Long.toString(process.pid()));
            Files.writeString(folder.resolve("uid_map"), uidMap);
            Files.writeString(folder.resolve("gid_map"), gidMap);
            String namespace = folder.resolve("ns/user").toString();
            int fd = Libc.INSTANCE.open(CString.of(namespace), Folder.O_CLOEXEC, 0);
            if (fd < 0) {
                throw new ErrnoException(Native.getLastError(), "open", namespace);
            }
            return new UserNamespace(fd);
        } finally {
            end(process);
        }
    }

    private static void end(Process process) {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    int fd() {
        return fd;
    }

    @Override
    public void close() {
        Libc.INSTANCE.close(fd);
    }
}
