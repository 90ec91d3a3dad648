package dev.longshore.shim;

import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalInt;

/** The folder of a task, and the names in it that the shim uses; those that others read are containerd's. */
record TaskBundle(Path path) {

    Path config() {
        return path.resolve("config.json");
    }

    Path rootfs() {
        return path.resolve("rootfs");
    }

    Path options() {
        return path.resolve("options.bin");
    }

    Path record() {
        return path.resolve("shim-task.properties");
    }

    private Path initPidFile() {
        return path.resolve("init.pid");
    }

    /** Where runc writes the pid of a process. */
    Path pidFile(String execId) {
        return execId.isEmpty() ? initPidFile() : path.resolve("exec-" + execId + ".pid");
    }

    /** Where runc writes its log for the call of that number. */
    Path runcLog(String call, long number) {
        return path.resolve("log-%s-%d.json".formatted(call, number));
    }

    /** What the files of a process' terminal are named after. */
    static String terminal(String execId) {
        return execId.isEmpty() ? "terminal" : "terminal-" + execId;
    }

    /** Where runc hands the terminal over; relative to the bundle, because the name of a socket must be short. */
    static String consoleSocket(String execId) {
        return terminal(execId) + ".sock";
    }

    /** The fifo from which a {@link TerminalProcess} takes commands. */
    Path terminalControl(String execId) {
        return path.resolve(terminal(execId) + ".ctl");
    }

    Path processSpec(String execId) {
        return path.resolve("exec-" + execId + ".json");
    }

    OptionalInt initPid() throws IOException {
        return readPid(initPidFile());
    }

    static OptionalInt readPid(Path file) throws IOException {
        try {
            return OptionalInt.of(Integer.parseInt(Files.readString(file).strip()));
        } catch (NoSuchFileException | NumberFormatException e) {
            return OptionalInt.empty(); // runc did not come that far
        }
    }

    void unmountRootfs() throws IOException {
        if (Files.isDirectory(rootfs())) {
            Mounts.unmountAll(rootfs());
        }
    }

    /** Tells {@code ctr} and people which program runs the container. */
    void writeRuntime(String binary) throws IOException {
        Files.writeString(path.resolve("runtime"), binary);
    }
}
