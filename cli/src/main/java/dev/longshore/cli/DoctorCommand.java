package dev.longshore.cli;

import com.google.protobuf.Empty;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Amounts;
import dev.longshore.cli.text.Screen;
import dev.longshore.cli.text.Table;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.linux.Libcrypto;
import dev.longshore.transport.grpc.Unary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code longshore doctor}. */
@Command(
        name = "doctor",
        description = {
            "Looks at this machine, and says what it lacks to run containers and how to get it.",
            "The exit status is 1 if something that is needed is missing."
        },
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {

    private static final int OLDEST_KERNEL = 5_06;
    private static final int KERNEL_WITH_EXIT_CODES = 6_15;
    private static final long LITTLE_SPACE = 1L << 30;

    /** How much a finding matters. */
    enum Verdict {
        OK,
        OPTIONAL,
        MISSING
    }

    /**
     * One thing looked at.
     *
     * @param remedy what to do; empty if nothing
     */
    record Finding(String what, Verdict verdict, String detail, String remedy) {

        static Finding ok(String what, String detail) {
            return new Finding(what, Verdict.OK, detail, "");
        }
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() {
        Connection connection = ((Main) spec.root().userObject()).connection();
        List<Finding> findings = List.of(
                user(),
                kernel(),
                overlayfs(),
                cgroups(),
                runc(),
                shim(),
                fuse(),
                criu(),
                jdk(),
                libcrypto(),
                space(),
                daemon(connection));
        Table table = new Table("CHECK", "STATE", "FOUND", "WHAT TO DO");
        List<Map<String, Object>> tree = new ArrayList<>();
        for (Finding finding : findings) {
            String state = switch (finding.verdict()) {
                case OK -> "ok";
                case OPTIONAL -> "optional";
                case MISSING -> "missing";
            };
            table.row(finding.what(), state, finding.detail(), finding.remedy());
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("check", finding.what());
            object.put("state", state);
            object.put("found", finding.detail());
            object.put("remedy", finding.remedy());
            tree.add(object);
        }
        var out = spec.commandLine().getOut();
        out.print(connection.json() ? Json.pretty(tree) + "\n" : table.render(Screen.width()));
        out.flush();
        return findings.stream().anyMatch(finding -> finding.verdict() == Verdict.MISSING) ? 1 : 0;
    }

    private static Finding user() {
        String user = System.getProperty("user.name", "");
        return user.equals("root")
                ? Finding.ok("user", user)
                : new Finding("user", Verdict.OPTIONAL, user, "the daemon and its plugins must run as root");
    }

    private static Finding kernel() {
        String release = System.getProperty("os.version", "");
        int version = version(release);
        if (version < OLDEST_KERNEL) {
            return new Finding("kernel", Verdict.MISSING, release, "Linux 5.6 or newer is needed (openat2, pidfd)");
        }
        return version < KERNEL_WITH_EXIT_CODES
                ? new Finding(
                        "kernel",
                        Verdict.OPTIONAL,
                        release,
                        "from Linux 6.15 on, exit codes survive the death of a shim; before, they are 255 then")
                : Finding.ok("kernel", release);
    }

    /** {@code 6.18.44-x} is 618. */
    static int version(String release) {
        String[] parts = release.split("[.-]", -1);
        try {
            return Integer.parseInt(parts[0]) * 100 + (parts.length > 1 ? Integer.parseInt(parts[1]) : 0);
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private static Finding overlayfs() {
        if (read(Path.of("/proc/filesystems")).contains("\toverlay\n")) {
            return Finding.ok("overlayfs", "in the kernel");
        }
        return new Finding(
                "overlayfs",
                Verdict.MISSING,
                "not in /proc/filesystems",
                "modprobe overlay (as root; a kernel with overlayfs)");
    }

    private static Finding cgroups() {
        Path root = Path.of("/sys/fs/cgroup");
        if (Files.exists(root.resolve("cgroup.controllers"))) {
            String controllers = read(root.resolve("cgroup.controllers")).strip();
            return controllers.contains("memory") && controllers.contains("pids")
                    ? Finding.ok("cgroups", "version 2: " + controllers)
                    : new Finding(
                            "cgroups",
                            Verdict.OPTIONAL,
                            "version 2: " + controllers,
                            "limits need the controllers memory, cpu and pids: systemd's Delegate=yes, or boot with cgroup_enable=memory");
        }
        if (Files.isDirectory(root.resolve("memory")) && Files.isDirectory(root.resolve("devices"))) {
            return Finding.ok("cgroups", "version 1");
        }
        return new Finding(
                "cgroups",
                Verdict.MISSING,
                "not mounted at /sys/fs/cgroup",
                "mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd");
    }

    private static Finding runc() {
        Optional<Path> program = find("runc");
        if (program.isEmpty()) {
            return new Finding("runc", Verdict.MISSING, "not in PATH", "apt-get install runc");
        }
        return Finding.ok("runc", firstLine(program.get().toString(), "--version"));
    }

    private static Finding shim() {
        String home = System.getProperty("longshore.home", "");
        Path own = Path.of(home, "bin", "containerd-shim-runc-v2");
        if (!home.isEmpty() && Files.isExecutable(own)) {
            return Finding.ok("shim", own.toString());
        }
        Optional<Path> other = find("containerd-shim-runc-v2");
        return other.map(path -> Finding.ok("shim", path.toString()))
                .orElse(new Finding(
                        "shim",
                        Verdict.MISSING,
                        "no containerd-shim-runc-v2 in the distribution or PATH",
                        "build the distribution again with a C compiler: apt-get install gcc libc6-dev"));
    }

    private static Finding fuse() {
        return Files.exists(Path.of("/dev/fuse"))
                ? Finding.ok("FUSE", "/dev/fuse")
                : new Finding(
                        "FUSE",
                        Verdict.OPTIONAL,
                        "no /dev/fuse",
                        "modprobe fuse, for snapshotters that load layers lazily");
    }

    private static Finding criu() {
        return find("criu")
                .map(path -> Finding.ok("CRIU", path.toString()))
                .orElse(new Finding("CRIU", Verdict.OPTIONAL, "not in PATH", "apt-get install criu, for checkpoints"));
    }

    private static Finding jdk() {
        return Finding.ok(
                "JDK", System.getProperty("java.vendor.version", "") + " " + System.getProperty("java.home", ""));
    }

    private static Finding libcrypto() {
        return Libcrypto.digester("SHA-256", 32).isPresent()
                ? Finding.ok("libcrypto", "libcrypto.so.3")
                : new Finding(
                        "libcrypto",
                        Verdict.OPTIONAL,
                        "no libcrypto.so.3",
                        "apt-get install openssl, for digests at full speed from the first byte on");
    }

    private static Finding space() {
        Path folder = Path.of("/var/lib");
        try {
            long free = Files.getFileStore(folder).getUsableSpace();
            String detail = "%s free in %s".formatted(Amounts.size(free), folder);
            return free >= LITTLE_SPACE
                    ? Finding.ok("disk", detail)
                    : new Finding(
                            "disk", Verdict.OPTIONAL, detail, "images need room: longshore image rm, or a larger disk");
        } catch (IOException e) {
            return new Finding("disk", Verdict.OPTIONAL, "cannot look at " + folder + ": " + e.getMessage(), "");
        }
    }

    private static Finding daemon(Connection connection) {
        try (Daemon daemon = connection.open()) {
            var version = Unary.call(() -> daemon.version().version(Empty.getDefaultInstance()));
            return Finding.ok("daemon", "%s at %s".formatted(version.getVersion(), connection.address()));
        } catch (ContainerdException e) {
            return new Finding(
                    "daemon",
                    Verdict.OPTIONAL,
                    "none at " + connection.address(),
                    "systemctl start longshored, or longshore-suite up --root DIR and --address DIR/run/longshore.sock");
        }
    }

    private static Optional<Path> find(String program) {
        String path = System.getenv("PATH");
        if (path == null) {
            return Optional.empty();
        }
        for (String folder : path.split(":", -1)) {
            Path candidate = Path.of(folder, program);
            if (Files.isExecutable(candidate) && !Files.isDirectory(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    private static String firstLine(String... command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return command[0] + " does not answer";
            }
            return output.lines().findFirst().orElse("says nothing");
        } catch (IOException e) {
            return "cannot be run: " + e.getMessage();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "interrupted";
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }
}
