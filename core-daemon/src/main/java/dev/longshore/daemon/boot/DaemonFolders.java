package dev.longshore.daemon.boot;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.file.DurableFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;

/** Where the parts of the daemon keep what they have, under {@code root} and {@code state}; names are containerd's. */
record DaemonFolders(Path root, Path state) {

    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    /** Others may pass through to the socket, and see nothing. */
    private static final Set<PosixFilePermission> PASSABLE = PosixFilePermissions.fromString("rwx--x--x");

    Path metadata() {
        return root.resolve("io.longshore.metadata.v1.sqlite");
    }

    Path content() {
        return root.resolve("io.containerd.content.v1.content");
    }

    Path tasksRoot() {
        return root.resolve("io.containerd.runtime.v2.task");
    }

    Path tasksState() {
        return state.resolve("io.containerd.runtime.v2.task");
    }

    Path mounts() {
        return state.resolve("mounts");
    }

    private Path uuid() {
        return root.resolve("io.containerd.service.v1.introspection-service").resolve("uuid");
    }

    private Path lock() {
        return root.resolve("daemon.lock");
    }

    /**
     * Makes the folders and takes the lock on them, which ends with the process.
     *
     * @throws FailedPreconditionException if another daemon has it
     */
    FileChannel open() throws IOException {
        make(root, PRIVATE);
        make(state, PASSABLE);
        for (Path folder :
                new Path[] {metadata(), content(), tasksRoot(), tasksState(), mounts(), uuid().getParent()}) {
            make(folder, PRIVATE);
        }
        FileChannel channel = FileChannel.open(lock(), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock();
        if (lock == null) {
            channel.close();
            throw new FailedPreconditionException(
                    "another daemon uses %s: stop it first, or choose another root".formatted(root));
        }
        return channel;
    }

    private static void make(Path folder, Set<PosixFilePermission> mode) throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, mode);
    }

    /** The daemon's identity, made at its first start. */
    String readOrMakeUuid() throws IOException {
        try {
            return Files.readString(uuid()).strip();
        } catch (NoSuchFileException e) {
            String made = UUID.randomUUID().toString();
            DurableFiles.write(uuid(), made.getBytes(StandardCharsets.UTF_8));
            return made;
        }
    }
}
