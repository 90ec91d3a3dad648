package dev.longshore.daemon.runtime;

import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.namespace.Identifiers;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * The folder of a task, {@code <state>/<namespace>/<id>}, and the only class that knows what is in it:
 *
 * <pre>
 * config.json        the container's OCI specification, byte for byte
 * rootfs/            where the shim makes the root file system's mounts
 * work               link to {@code <root>/<namespace>/<id>}
 * log                fifo, the shim's log
 * shim-binary-path   the program that started the shim
 * bootstrap.json     what it answered
 * address            the same of shims before 2.0
 * </pre>
 *
 * A folder whose name starts with a dot is one whose deletion did not come to its end. Nothing here is synced to disk: a
 * bundle is worth nothing after the machine went down, and survives the daemon's death without.
 *
 * @param id of the task and its container
 */
public record Bundle(NamespaceId namespace, String id, Path path) {

    static final String SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec";

    private static final String SHIM_BINARY_PATH = "shim-binary-path";
    private static final String BOOTSTRAP = "bootstrap.json";
    private static final String LEGACY_ADDRESS = "address";

    /** Bytes of the small files that the daemon reads back. */
    private static final int MAX_FILE = 1 << 20;

    /** The bundle of that name, whether or not it is there. */
    static Bundle of(Path state, NamespaceId namespace, String id) {
        return new Bundle(namespace, id, state.resolve(namespace.value()).resolve(id));
    }

    /**
     * Makes the folders of a new task and writes its specification.
     *
     * @param spec none for containers that have none, as some sandboxes
     * @throws InvalidArgumentException if {@code id} is no identifier
     * @throws AlreadyExistsException if the folder is there
     */
    static Bundle create(Path state, Path root, NamespaceId namespace, String id, Optional<TypedValue> spec)
            throws IOException {
        Identifiers.check("task", id);
        Bundle bundle = of(state, namespace, id);
        makeFolders(state.resolve(namespace.value()));
        try {
            Files.createDirectory(bundle.path);
        } catch (FileAlreadyExistsException e) {
            throw new AlreadyExistsException(
                    "bundle %s of task %s exists; an earlier task left it".formatted(bundle.path, id), e);
        }
        try {
            bundle.fill(root, spec);
        } catch (IOException | RuntimeException e) {
            try {
                bundle.delete();
            } catch (IOException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
        return bundle;
    }

    private void fill(Path root, Optional<TypedValue> spec) throws IOException {
        mode(path, "rwx------");
        if (spec.isPresent() && spec.get().typeName().equals(SPEC_TYPE)) {
            long gid = hostGidOfRoot(spec.get().value());
            if (gid != 0) {
                Files.setAttribute(path, "unix:gid", (int) gid);
                mode(path, "rwx--x---");
            }
        }
        mode(Files.createDirectory(rootfs()), "rwx--x--x");
        Path works = root.resolve(namespace.value());
        makeFolders(works);
        Path work = works.resolve(id);
        if (Files.exists(work, LinkOption.NOFOLLOW_LINKS)) {
            Trees.delete(work);
        }
        mode(Files.createDirectory(work), "rwx--x--x");
        Files.createSymbolicLink(path.resolve("work"), work);
        if (spec.isPresent()) {
            Files.write(path.resolve("config.json"), spec.get().value());
        }
    }

    /** Where the shim makes the mounts of the container's root. */
    Path rootfs() {
        return path.resolve("rootfs");
    }

    Path log() {
        return path.resolve("log");
    }

    /** Whether nothing is in the folder: the daemon died while making it. */
    boolean isEmpty() throws IOException {
        try (var entries = Files.newDirectoryStream(path)) {
            return !entries.iterator().hasNext();
        }
    }

    /** Notes which program the shim was started with, for the next start of the daemon. */
    void writeShimBinary(Path binary) throws IOException {
        Path file = path.resolve(SHIM_BINARY_PATH);
        Files.writeString(file, binary.toString());
        mode(file, "rw-------");
    }

    /** The program that started the shim; empty if nobody noted it, as containerd before 1.6. */
    Optional<String> shimBinary() throws IOException {
        Optional<byte[]> text = read(SHIM_BINARY_PATH);
        return text.map(bytes -> new String(bytes, StandardCharsets.UTF_8)).filter(binary -> !binary.isEmpty());
    }

    /** Notes how to reach the shim, for the next start of the daemon. */
    void writeBootstrap(BootstrapAnswer answer) throws IOException {
        Path temporary = path.resolve("." + BOOTSTRAP);
        Files.write(temporary, answer.toJson());
        mode(temporary, "rw-r--r--");
        Files.move(temporary, path.resolve(BOOTSTRAP), StandardCopyOption.ATOMIC_MOVE);
    }

    /** How the shim is reached; empty if it never said so. */
    Optional<BootstrapAnswer> bootstrap() throws IOException {
        Optional<byte[]> text = read(BOOTSTRAP);
        if (text.isPresent()) {
            return text.map(BootstrapAnswer::parse);
        }
        return read(LEGACY_ADDRESS).filter(address -> address.length > 0).map(BootstrapAnswer::parse);
    }

    private Optional<byte[]> read(String name) throws IOException {
        try (var in = Files.newInputStream(path.resolve(name))) {
            byte[] bytes = in.readNBytes(MAX_FILE + 1);
            if (bytes.length > MAX_FILE) {
                throw new IOException(path.resolve(name) + " is larger than " + MAX_FILE + " bytes");
            }
            return Optional.of(bytes);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /**
     * Unmounts what is on the root file system and removes the folders. A rename to a hidden name comes first, so that a
     * death in between leaves nothing that looks like a task. Does nothing if the folder is gone.
     */
    void delete() throws IOException {
        Optional<Path> work = workFolder();
        RootfsMounts.unmountAll(rootfs());
        try {
            // Not recursive: whatever is still mounted here belongs to somebody else.
            Files.deleteIfExists(rootfs());
        } finally {
            if (!Files.exists(rootfs(), LinkOption.NOFOLLOW_LINKS)) {
                hideAndDelete(path);
                if (work.isPresent()) {
                    hideAndDelete(work.get());
                }
            }
        }
    }

    private Optional<Path> workFolder() throws IOException {
        Path link = path.resolve("work");
        return Files.isSymbolicLink(link) ? Optional.of(Files.readSymbolicLink(link)) : Optional.empty();
    }

    /** Removes what an interrupted {@link #delete} left under {@code folder}, which holds bundles or work folders. */
    static void deleteHidden(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        List<Path> hidden;
        try (var entries = Files.list(folder)) {
            hidden = entries.filter(entry -> entry.getFileName().toString().startsWith("."))
                    .toList();
        }
        for (Path entry : hidden) {
            RootfsMounts.unmountAll(entry.resolve("rootfs"));
            Trees.delete(entry);
        }
    }

    static void hideAndDelete(Path folder) throws IOException {
        Path hidden = folder.resolveSibling("." + folder.getFileName());
        if (Files.exists(hidden, LinkOption.NOFOLLOW_LINKS)) {
            Trees.delete(hidden);
        }
        try {
            Files.move(folder, hidden, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return;
        }
        Trees.delete(hidden);
    }

    /** Others may pass through the parents, so that remapped users reach their bundles, but not list them. */
    static void makeFolders(Path folder) throws IOException {
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
    }

    private static void mode(Path file, String permissions) throws IOException {
        // Set afterwards: the process' umask does not apply then.
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    }

    /** The group of the host that the container's group 0 is; 0 without a user namespace. */
    static long hostGidOfRoot(byte[] spec) {
        try {
            if (JSON.std.mapFrom(spec).get("linux") instanceof Map<?, ?> linux
                    && linux.get("gidMappings") instanceof List<?> mappings) {
                for (Object entry : mappings) {
                    if (entry instanceof Map<?, ?> mapping
                            && mapping.get("hostID") instanceof Number host
                            && (!(mapping.get("containerID") instanceof Number container)
                                    || container.longValue() == 0)) {
                        return host.longValue();
                    }
                }
            }
            return 0;
        } catch (JacksonException e) {
            throw new InvalidArgumentException(
                    "the container's specification is not JSON: " + e.getOriginalMessage(), e);
        }
    }
}
