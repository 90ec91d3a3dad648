package dev.longshore.daemon.runtime;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Finds the program of a runtime by its name: {@code io.containerd.runc.v2} is {@code containerd-shim-runc-v2}. Found
 * programs are remembered; one that has gone since is looked for again.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md">Runtime v2, binary naming</a>
 */
final class ShimBinary {

    private final List<Path> searched;
    private final Map<String, Path> found = new ConcurrentHashMap<>();

    ShimBinary(List<Path> path, Optional<Path> distributionBin) {
        List<Path> folders = new ArrayList<>(path);
        distributionBin.ifPresent(folders::add);
        this.searched = List.copyOf(folders);
    }

    /**
     * @param runtime a name of at least two dot-separated parts, or the absolute path of a program
     * @throws InvalidArgumentException if it is neither
     * @throws FailedPreconditionException if the program is not installed
     */
    Path resolve(String runtime) {
        if (runtime.isEmpty()) {
            throw new InvalidArgumentException("no runtime name");
        }
        if (runtime.startsWith("/")) {
            Path program = Path.of(runtime);
            if (!Files.isExecutable(program) || Files.isDirectory(program)) {
                throw new FailedPreconditionException("runtime %s is not an executable file".formatted(runtime));
            }
            return program;
        }
        String name = fileName(runtime);
        Path known = found.get(name);
        if (known != null && Files.isExecutable(known)) {
            return known;
        }
        for (Path folder : searched) {
            Path candidate = folder.resolve(name).toAbsolutePath();
            if (Files.isExecutable(candidate) && !Files.isDirectory(candidate)) {
                found.put(name, candidate);
                return candidate;
            }
        }
        throw new FailedPreconditionException(
                "runtime \"%s\" is not installed: no %s in %s".formatted(runtime, name, searched));
    }

    /** @throws InvalidArgumentException if {@code runtime} is no runtime's name */
    static String fileName(String runtime) {
        String[] parts = runtime.split("\\.", -1);
        if (runtime.contains("/")
                || parts.length < 2
                || parts[0].isEmpty()
                || parts[parts.length - 2].isEmpty()
                || parts[parts.length - 1].isEmpty()) {
            throw new InvalidArgumentException(
                    "runtime name \"%s\" must be like io.containerd.runc.v2, or the absolute".formatted(runtime)
                            + " path of a shim");
        }
        return "containerd-shim-" + parts[parts.length - 2] + "-" + parts[parts.length - 1];
    }
}
