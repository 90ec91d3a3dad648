package dev.longshore.deploy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel says of a process' control group, of version 1 or 2. */
final class Cgroups {

    private Cgroups() {}

    /** In bytes, or {@code max}. */
    static String memoryLimit(String pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc", pid, "cgroup"))) {
            String[] parts = line.split(":", 3);
            Path file = parts[1].equals("memory")
                    ? Path.of("/sys/fs/cgroup/memory" + parts[2], "memory.limit_in_bytes")
                    : Path.of("/sys/fs/cgroup" + parts[2], "memory.max");
            if ((parts[1].equals("memory") || parts[1].isEmpty()) && Files.exists(file)) {
                return Files.readString(file).strip();
            }
        }
        throw new AssertionError("no memory cgroup of " + pid);
    }
}
