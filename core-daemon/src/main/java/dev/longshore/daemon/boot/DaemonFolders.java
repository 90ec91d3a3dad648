package dev.longshore.daemon.boot;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.file.DurableFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the parts of the daemon keep what they have, under {@code root} and {@code state}; names are containerd's. */
record DaemonFolders(Path root, Path state) {

    private static final Logger log = LoggerFactory.getLogger(DaemonFolders.class);

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

    /**
     * Makes {@code folder}, or puts its mode right.
     *
     * @throws FailedPreconditionException if it is no folder, or belongs to another user, who could change what is in it
     */
    private static void make(Path folder, Set<PosixFilePermission> mode) throws IOException {
        try {
            Files.createDirectories(folder);
        } catch (FileAlreadyExistsException e) {
            throw new FailedPreconditionException(
                    "%s is no folder: remove it, or choose another root or state".formatted(e.getFile()), e);
        }
        int owner = (Integer) Files.getAttribute(folder, "unix:uid");
        int self = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        if (owner != self && owner != 0) {
            throw new FailedPreconditionException(
                    "%s belongs to uid %d, and the daemon runs as uid %d: give it away (chown), or choose another root or state"
                            .formatted(folder, owner, self));
        }
        Set<PosixFilePermission> before = Files.getPosixFilePermissions(folder);
        if (before.contains(PosixFilePermission.GROUP_WRITE) || before.contains(PosixFilePermission.OTHERS_WRITE)) {
            log.atWarn()
                    .addKeyValue("folder", folder)
                    .addKeyValue("mode", PosixFilePermissions.toString(before))
                    .log("others could write to a folder of the daemon's: its mode is put right");
        }
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
