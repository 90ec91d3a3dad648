package dev.longshore.cli.run;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.Manifests;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes OCI runtime specifications: what runc needs to know to run a container, with the defaults that container engines
 * have in common.
 *
 * @see <a href="https://github.com/opencontainers/runtime-spec/blob/main/config.md">runtime-spec</a>
 */
final class OciSpec {

    /** Of a container's record. */
    static final String TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Spec";

    /** Of an additional process. */
    static final String PROCESS_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Process";

    private static final String VERSION = "1.0.2";
    private static final String DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static final long CPU_PERIOD_MICROS = 100_000;
    private static final long OPEN_FILES = 1024;

    private static final List<String> CAPABILITIES = List.of(
            "CAP_AUDIT_WRITE",
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
            "CAP_FSETID",
            "CAP_KILL",
            "CAP_MKNOD",
            "CAP_NET_BIND_SERVICE",
            "CAP_NET_RAW",
            "CAP_SETFCAP",
            "CAP_SETGID",
            "CAP_SETPCAP",
            "CAP_SETUID",
            "CAP_SYS_CHROOT");

    private static final List<String> MORE_CAPABILITIES = List.of(
            "CAP_AUDIT_CONTROL",
            "CAP_AUDIT_READ",
            "CAP_DAC_READ_SEARCH",
            "CAP_IPC_LOCK",
            "CAP_IPC_OWNER",
            "CAP_LEASE",
            "CAP_LINUX_IMMUTABLE",
            "CAP_MAC_ADMIN",
            "CAP_MAC_OVERRIDE",
            "CAP_NET_ADMIN",
            "CAP_NET_BROADCAST",
            "CAP_SYS_ADMIN",
            "CAP_SYS_BOOT",
            "CAP_SYS_MODULE",
            "CAP_SYS_NICE",
            "CAP_SYS_PACCT",
            "CAP_SYS_PTRACE",
            "CAP_SYS_RAWIO",
            "CAP_SYS_RESOURCE",
            "CAP_SYS_TIME",
            "CAP_SYS_TTY_CONFIG",
            "CAP_SYSLOG",
            "CAP_WAKE_ALARM");

    /** What would tell of the machine or other containers. {@code powercap} leaks power use (GHSA-7ww5-4wqc-m92c). */
    private static final List<String> MASKED = List.of(
            "/proc/acpi",
            "/proc/asound",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/sys/devices/virtual/powercap",
            "/sys/firmware");

    private static final List<String> READ_ONLY =
            List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    /** null, zero, full, random, urandom, tty, console, ptmx, terminals. */
    private static final int[][] DEVICES = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}};

    private OciSpec() {}

    /** The specification, as a tree for JSON. */
    static Map<String, Object> of(SpecRequest request, Manifests.ProcessDefaults image, ContainerUser user) {
        Map<String, Object> spec = new LinkedHashMap<>();
        spec.put("ociVersion", VERSION);
        spec.put("process", process(request, image, user));
        spec.put("root", Map.of("path", "rootfs", "readonly", request.readOnly()));
        spec.put("hostname", request.id());
        spec.put("mounts", mounts(request));
        spec.put("linux", linux(request));
        return spec;
    }

    private static Map<String, Object> process(
            SpecRequest request, Manifests.ProcessDefaults image, ContainerUser user) {
        Map<String, Object> process = new LinkedHashMap<>();
        process.put("terminal", request.terminal());
        process.put("user", user(user));
        process.put("args", arguments(request, image));
        process.put("env", environment(image.env(), request.environment(), request.terminal()));
        process.put(
                "cwd", request.workingFolder().orElse(image.workingFolder().isEmpty() ? "/" : image.workingFolder()));
        List<String> capabilities = new ArrayList<>(CAPABILITIES);
        if (request.privileged()) {
            capabilities.addAll(MORE_CAPABILITIES);
        }
        // No inheritable ones: a program with file capabilities would get them (CVE-2022-24769).
        process.put(
                "capabilities", Map.of("bounding", capabilities, "effective", capabilities, "permitted", capabilities));
        process.put("rlimits", List.of(Map.of("type", "RLIMIT_NOFILE", "hard", OPEN_FILES, "soft", OPEN_FILES)));
        process.put("noNewPrivileges", !request.privileged());
        return process;
    }

    static Map<String, Object> user(ContainerUser user) {
        return Map.of("uid", user.uid(), "gid", user.gid(), "additionalGids", user.additionalGids());
    }

    private static List<String> arguments(SpecRequest request, Manifests.ProcessDefaults image) {
        List<String> arguments =
                new ArrayList<>(request.entrypoint().map(List::of).orElse(image.entrypoint()));
        if (!request.arguments().isEmpty()) {
            arguments.addAll(request.arguments());
        } else if (request.entrypoint().isEmpty()) {
            arguments.addAll(image.command());
        }
        if (arguments.isEmpty()) {
            throw new InvalidArgumentException(
                    "the image does not say what to run: name a command behind the image's name");
        }
        return arguments;
    }

    /** Later ones win; the order of the first stays. */
    static List<String> environment(List<String> image, List<String> added, boolean terminal) {
        Map<String, String> environment = new LinkedHashMap<>();
        List<String> all = new ArrayList<>(List.of(DEFAULT_PATH));
        if (terminal) {
            all.add("TERM=xterm");
        }
        all.addAll(image);
        all.addAll(added);
        for (String entry : all) {
            int equals = entry.indexOf('=');
            if (equals > 0) {
                environment.put(entry.substring(0, equals), entry);
            }
        }
        return List.copyOf(environment.values());
    }

    private static List<Map<String, Object>> mounts(SpecRequest request) {
        List<Map<String, Object>> mounts = new ArrayList<>();
        mounts.add(mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"));
        mounts.add(mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"));
        mounts.add(mount(
                "/dev/pts",
                "devpts",
                "devpts",
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5"));
        mounts.add(mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
        mounts.add(mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"));
        mounts.add(mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", request.privileged() ? "rw" : "ro"));
        mounts.add(mount("/run", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"));
        if (request.hostNetwork()) {
            mounts.add(mount("/etc/resolv.conf", "bind", "/etc/resolv.conf", "rbind", "ro"));
            mounts.add(mount("/etc/hosts", "bind", "/etc/hosts", "rbind", "ro"));
        }
        request.mounts().forEach(mount -> mounts.add(mount.tree()));
        return mounts;
    }

    private static Map<String, Object> mount(String destination, String type, String source, String... options) {
        return new MountFlag(type, source, destination, List.of(options)).tree();
    }

    private static Map<String, Object> linux(SpecRequest request) {
        Map<String, Object> linux = new LinkedHashMap<>();
        linux.put("resources", resources(request));
        linux.put("cgroupsPath", "/" + request.namespace() + "/" + request.id());
        List<Map<String, Object>> namespaces = new ArrayList<>();
        List<String> kinds = new ArrayList<>(List.of("pid", "ipc", "uts", "mount"));
        if (!request.hostNetwork()) {
            kinds.add("network");
        }
        if (request.cgroupV2()) {
            kinds.add("cgroup");
        }
        kinds.forEach(kind -> namespaces.add(Map.of("type", kind)));
        linux.put("namespaces", namespaces);
        if (!request.privileged()) {
            linux.put("maskedPaths", MASKED);
            linux.put("readonlyPaths", READ_ONLY);
        }
        return linux;
    }

    private static Map<String, Object> resources(SpecRequest request) {
        Map<String, Object> resources = new LinkedHashMap<>();
        List<Map<String, Object>> devices = new ArrayList<>();
        if (request.privileged()) {
            devices.add(Map.of("allow", true, "access", "rwm"));
        } else {
            devices.add(Map.of("allow", false, "access", "rwm"));
            for (int[] device : DEVICES) {
                Map<String, Object> rule =
                        new LinkedHashMap<>(Map.of("allow", true, "type", "c", "major", device[0], "access", "rwm"));
                if (device[1] >= 0) {
                    rule.put("minor", device[1]);
                }
                devices.add(rule);
            }
        }
        resources.put("devices", devices);
        request.memoryLimit().ifPresent(limit -> resources.put("memory", Map.of("limit", limit)));
        request.cpus()
                .ifPresent(cpus -> resources.put(
                        "cpu", Map.of("period", CPU_PERIOD_MICROS, "quota", Math.round(cpus * CPU_PERIOD_MICROS))));
        return resources;
    }
}
