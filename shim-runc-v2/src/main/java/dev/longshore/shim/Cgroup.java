package dev.longshore.shim;

import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Message;
import dev.longshore.api.cgroups.v1.CPUStat;
import dev.longshore.api.cgroups.v1.MemoryEntry;
import dev.longshore.api.cgroups.v1.Metrics;
import dev.longshore.sdk.linux.MemoryEvents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The cgroups of a container, as they were when it was made: a process that has ended no longer tells. Version 1 has a
 * folder for each controller, version 2 one for all.
 */
final class Cgroup {

    private static final Path MOUNTS = Path.of("/sys/fs/cgroup");

    /** In which the kernel counts processor time; USER_HZ is 100 everywhere. */
    private static final long NANOS_PER_TICK = 10_000_000;

    private final Map<String, Path> folders;

    private Cgroup(Map<String, Path> folders) {
        this.folders = Map.copyOf(folders);
    }

    /** The cgroups of a process. */
    static Cgroup of(int pid) throws IOException {
        return parse(Files.readAllLines(Path.of("/proc", Integer.toString(pid), "cgroup")), MOUNTS);
    }

    /**
     * The cgroups in a process' file; see cgroups(7).
     *
     * @param mounts where the hierarchies are mounted
     */
    static Cgroup parse(List<String> lines, Path mounts) {
        Map<String, Path> folders = new HashMap<>();
        for (String line : lines) {
            String[] parts = line.split(":", 3);
            String relative = parts[2].substring(1);
            if (parts[1].isEmpty()) {
                Path unified = Files.exists(mounts.resolve("cgroup.controllers")) ? mounts : mounts.resolve("unified");
                folders.put("", unified.resolve(relative));
            } else {
                for (String controller : parts[1].split(",", -1)) {
                    folders.put(controller, mounts.resolve(parts[1]).resolve(relative));
                }
            }
        }
        return new Cgroup(folders);
    }

    /** Tells when it runs out of memory; empty if it has no limits of memory at all. */
    Optional<MemoryEvents> memoryEvents() throws IOException {
        Path folder = folders.get(unified() ? "" : "memory");
        if (folder == null) {
            return Optional.empty();
        }
        return Optional.of(unified() ? MemoryEvents.unified(folder) : MemoryEvents.legacy(folder));
    }

    private boolean unified() {
        return !folders.containsKey("memory") && folders.containsKey("");
    }

    /** What it uses: {@code io.containerd.cgroups.v1.Metrics} or {@code v2.Metrics}. */
    Message metrics() throws IOException {
        return unified() ? unifiedMetrics() : legacyMetrics();
    }

    private Metrics legacyMetrics() throws IOException {
        Metrics.Builder metrics = Metrics.newBuilder();
        Path pids = folders.get("pids");
        if (pids != null) {
            metrics.getPidsBuilder()
                    .setCurrent(number(pids.resolve("pids.current")))
                    .setLimit(number(pids.resolve("pids.max")));
        }
        Path cpu = folders.get("cpu");
        Path cpuacct = folders.get("cpuacct");
        if (cpuacct != null) {
            CPUStat.Builder stat = metrics.getCpuBuilder();
            Map<String, Long> ticks = table(cpuacct.resolve("cpuacct.stat"));
            stat.getUsageBuilder()
                    .setTotal(number(cpuacct.resolve("cpuacct.usage")))
                    .setUser(ticks.getOrDefault("user", 0L) * NANOS_PER_TICK)
                    .setKernel(ticks.getOrDefault("system", 0L) * NANOS_PER_TICK);
            for (String one : text(cpuacct.resolve("cpuacct.usage_percpu")).split(" ", -1)) {
                if (!one.isBlank()) {
                    stat.getUsageBuilder().addPerCpu(Long.parseUnsignedLong(one.strip()));
                }
            }
        }
        if (cpu != null) {
            Map<String, Long> throttled = table(cpu.resolve("cpu.stat"));
            metrics.getCpuBuilder()
                    .getThrottlingBuilder()
                    .setPeriods(throttled.getOrDefault("nr_periods", 0L))
                    .setThrottledPeriods(throttled.getOrDefault("nr_throttled", 0L))
                    .setThrottledTime(throttled.getOrDefault("throttled_time", 0L));
        }
        Path memory = folders.get("memory");
        if (memory != null) {
            memory(metrics, memory);
        }
        return metrics.build();
    }

    private static void memory(Metrics.Builder metrics, Path folder) throws IOException {
        Map<String, Long> stat = table(folder.resolve("memory.stat"));
        var memory = metrics.getMemoryBuilder();
        // The fields are called as the kernel calls them, but for "pg_" where the kernel has "pg".
        memory.getDescriptorForType().getFields().forEach(field -> {
            String name = field.getName()
                    .replace("pg_pg_in", "pgpgin")
                    .replace("pg_pg_out", "pgpgout")
                    .replace("pg_fault", "pgfault")
                    .replace("pg_maj_fault", "pgmajfault")
                    .replace("hierarchical_swap_limit", "hierarchical_memsw_limit");
            Long value = stat.get(name);
            if (value != null && field.getJavaType() == JavaType.LONG) {
                memory.setField(field, value);
            }
        });
        memory.setUsage(entry(folder, "memory."))
                .setSwap(entry(folder, "memory.memsw."))
                .setKernel(entry(folder, "memory.kmem."))
                .setKernelTcp(entry(folder, "memory.kmem.tcp."));
        Map<String, Long> oom = table(folder.resolve("memory.oom_control"));
        metrics.getMemoryOomControlBuilder()
                .setOomKillDisable(oom.getOrDefault("oom_kill_disable", 0L))
                .setUnderOom(oom.getOrDefault("under_oom", 0L))
                .setOomKill(oom.getOrDefault("oom_kill", 0L));
    }

    private static MemoryEntry entry(Path folder, String prefix) throws IOException {
        return MemoryEntry.newBuilder()
                .setUsage(number(folder.resolve(prefix + "usage_in_bytes")))
                .setMax(number(folder.resolve(prefix + "max_usage_in_bytes")))
                .setFailcnt(number(folder.resolve(prefix + "failcnt")))
                .setLimit(number(folder.resolve(prefix + "limit_in_bytes")))
                .build();
    }

    private dev.longshore.api.cgroups.v2.Metrics unifiedMetrics() throws IOException {
        Path folder = folders.getOrDefault("", MOUNTS);
        var metrics = dev.longshore.api.cgroups.v2.Metrics.newBuilder();
        metrics.getPidsBuilder()
                .setCurrent(number(folder.resolve("pids.current")))
                .setLimit(number(folder.resolve("pids.max")));
        Map<String, Long> cpu = table(folder.resolve("cpu.stat"));
        metrics.getCpuBuilder()
                .setUsageUsec(cpu.getOrDefault("usage_usec", 0L))
                .setUserUsec(cpu.getOrDefault("user_usec", 0L))
                .setSystemUsec(cpu.getOrDefault("system_usec", 0L))
                .setNrPeriods(cpu.getOrDefault("nr_periods", 0L))
                .setNrThrottled(cpu.getOrDefault("nr_throttled", 0L))
                .setThrottledUsec(cpu.getOrDefault("throttled_usec", 0L));
        Map<String, Long> stat = table(folder.resolve("memory.stat"));
        var memory = metrics.getMemoryBuilder();
        memory.getDescriptorForType().getFields().forEach(field -> {
            Long value = stat.get(field.getName());
            if (value != null && field.getJavaType() == JavaType.LONG) {
                memory.setField(field, value);
            }
        });
        memory.setUsage(number(folder.resolve("memory.current")))
                .setUsageLimit(number(folder.resolve("memory.max")))
                .setSwapUsage(number(folder.resolve("memory.swap.current")))
                .setSwapLimit(number(folder.resolve("memory.swap.max")));
        Map<String, Long> events = table(folder.resolve("memory.events"));
        metrics.getMemoryEventsBuilder()
                .setLow(events.getOrDefault("low", 0L))
                .setHigh(events.getOrDefault("high", 0L))
                .setMax(events.getOrDefault("max", 0L))
                .setOom(events.getOrDefault("oom", 0L))
                .setOomKill(events.getOrDefault("oom_kill", 0L));
        return metrics.build();
    }

    /** How many processes the kernel has killed here for want of memory; 0 if that cannot be told. */
    long oomKills() {
        try {
            Path folder = unified() ? folders.get("") : folders.get("memory");
            if (folder == null) {
                return 0;
            }
            return table(folder.resolve(unified() ? "memory.events" : "memory.oom_control"))
                    .getOrDefault("oom_kill", 0L);
        } catch (IOException e) {
            return 0; // the cgroup is gone
        }
    }

    private static String text(Path file) throws IOException {
        return Files.exists(file) ? Files.readString(file).strip() : "";
    }

    /** A number alone in a file; {@code max} and a file that is not there are 0, as Go's shim has them. */
    private static long number(Path file) throws IOException {
        String text = text(file);
        return text.isEmpty() || text.equals("max") ? 0 : Long.parseUnsignedLong(text);
    }

    /** Lines of a name and a number. */
    private static Map<String, Long> table(Path file) throws IOException {
        Map<String, Long> table = new HashMap<>();
        for (String line : text(file).split("\n", -1)) {
            int space = line.indexOf(' ');
            if (space > 0) {
                table.put(
                        line.substring(0, space),
                        Long.parseUnsignedLong(line.substring(space + 1).strip()));
            }
        }
        return table;
    }
}
