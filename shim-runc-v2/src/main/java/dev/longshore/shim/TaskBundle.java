package dev.longshore.shim;

import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
        return execId.isEmpty() ? initPidFile() : path.resolve(execId + ".pid");
    }

    /** Where runc writes its log for one of its calls. */
    Path runcLog(String call) {
        return path.resolve("log-" + call + ".json");
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
        DurableFiles.write(path.resolve("runtime"), binary.getBytes(StandardCharsets.UTF_8));
    }
}
