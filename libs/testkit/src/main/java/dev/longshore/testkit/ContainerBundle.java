package dev.longshore.testkit;

import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * An OCI bundle with busybox in it. It is made of what every runtime must have: no network of its own, no user namespace.
 *
 * @param path the folder, as containerd's daemon makes it
 */
public record ContainerBundle(Path path) {

    /** Of a container, before it is written to config.json. */
    public static final class Spec {

        private final String cgroup;
        private final List<String> arguments;
        private final Map<String, String> annotations = new LinkedHashMap<>();
        private final Map<String, Object> resources = new LinkedHashMap<>();
        private boolean terminal;
        private boolean pidNamespace = true;

        private Spec(String cgroup, List<String> arguments) {
            this.cgroup = cgroup;
            this.arguments = arguments;
        }

        public Spec annotation(String key, String value) {
            annotations.put(key, value);
            return this;
        }

        public Spec terminal() {
            terminal = true;
            return this;
        }

        /** With the pids of the host. */
        public Spec hostPids() {
            pidNamespace = false;
            return this;
        }

        /** @param bytes of memory that it may use, none of it swapped */
        public Spec memory(long bytes) {
            resources.put("memory", Map.of("limit", bytes, "swap", bytes));
            return this;
        }

        boolean hasTerminal() {
            return terminal;
        }

        private Map<String, Object> json() {
            List<String> namespaces =
                    pidNamespace ? List.of("pid", "ipc", "uts", "mount") : List.of("ipc", "uts", "mount");
            Map<String, Object> linux = new LinkedHashMap<>();
            linux.put(
                    "namespaces",
                    namespaces.stream().map(type -> Map.of("type", type)).toList());
            linux.put("cgroupsPath", cgroup);
            linux.put("resources", resources);
            return Map.of(
                    "ociVersion",
                    "1.0.2",
                    "process",
                    process(arguments, terminal),
                    "root",
                    Map.of("path", "rootfs"),
                    "hostname",
                    "contract",
                    "mounts",
                    List.of(
                            Map.of("destination", "/proc", "type", "proc", "source", "proc"),
                            Map.of("destination", "/dev", "type", "tmpfs", "source", "tmpfs"),
                            Map.of(
                                    "destination",
                                    "/dev/pts",
                                    "type",
                                    "devpts",
                                    "source",
                                    "devpts",
                                    "options",
                                    List.of("newinstance", "ptmxmode=0666", "mode=0620"))),
                    "annotations",
                    annotations,
                    "linux",
                    linux);
        }
    }

    /** A container that runs a program of busybox. */
    public static Spec spec(String cgroup, List<String> arguments) {
        return new Spec(cgroup, arguments);
    }

    /** An OCI process, of a container or executed in one. */
    static Map<String, Object> process(List<String> arguments, boolean terminal) {
        List<String> capabilities = List.of("CAP_KILL", "CAP_CHOWN");
        return Map.of(
                "terminal",
                terminal,
                "user",
                Map.of("uid", 0, "gid", 0),
                "args",
                arguments,
                "env",
                List.of("PATH=/bin"),
                "cwd",
                "/",
                "capabilities",
                Map.of("bounding", capabilities, "effective", capabilities, "permitted", capabilities));
    }

    static byte[] processJson(List<String> arguments, boolean terminal) {
        return Json.bytes(process(arguments, terminal));
    }

    /** Writes a bundle to {@code path}, with an empty {@code rootfs} on which the shim mounts. */
    public static ContainerBundle write(Path path, Spec spec) throws IOException {
        Files.createDirectories(path.resolve("rootfs"));
        Files.write(path.resolve("config.json"), Json.bytes(spec.json()));
        return new ContainerBundle(path);
    }

    public Path rootfs() {
        return path.resolve("rootfs");
    }

    /** Lays busybox out in {@code root}: what is mounted on the containers' rootfs. */
    public static void writeRoot(Path root, Path busybox) throws IOException {
        Path bin = Files.createDirectories(root.resolve("bin"));
        for (String folder : List.of("proc", "dev", "tmp")) {
            Files.createDirectories(root.resolve(folder));
        }
        Files.copy(busybox, bin.resolve("busybox"));
        try {
            Process install = new ProcessBuilder(busybox.toString(), "--list").start();
            try (Stream<String> names = install.inputReader().lines()) {
                for (String name : names.filter(name -> !name.equals("busybox")).toList()) {
                    Files.createSymbolicLink(bin.resolve(name), Path.of("busybox"));
                }
            }
            if (!install.waitFor(1, TimeUnit.MINUTES) || install.exitValue() != 0) {
                throw new IOException(busybox + " --list failed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
