package dev.longshore.daemon.boot;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The pid namespace that the daemon runs in. */
final class PidNamespace {

    private PidNamespace() {}

    /** Its inode, by which processes can tell whether they share it. */
    static long inode() throws IOException {
        return (Long) Files.getAttribute(Path.of("/proc/self/ns/pid"), "unix:ino");
    }
}
