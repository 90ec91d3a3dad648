package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.api.cgroups.v1.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files are those of real containers, shortened. */
class CgroupTest {

    @TempDir
    private Path mounts;

    private void write(String folder, Map<String, String> files) throws IOException {
        Path path = Files.createDirectories(mounts.resolve(folder));
        for (var file : files.entrySet()) {
            Files.writeString(path.resolve(file.getKey()), file.getValue());
        }
    }

    private void writeLegacy() throws IOException {
        write("pids/n/c", Map.of("pids.current", "2\n", "pids.max", "max\n"));
        write(
                "cpu,cpuacct/n/c",
                Map.of(
                        "cpuacct.usage", "31415926\n",
                        "cpuacct.usage_percpu", "20000000 11415926 \n",
                        "cpuacct.stat", "user 2\nsystem 1\n",
                        "cpu.stat", "nr_periods 7\nnr_throttled 3\nthrottled_time 99\n"));
        write(
                "memory/n/c",
                Map.of(
                        "memory.stat",
                        """
                        cache 4096
                        rss 8192
                        pgpgin 5
                        pgfault 6
                        pgmajfault 1
                        hierarchical_memory_limit 67108864
                        hierarchical_memsw_limit 9223372036854771712
                        total_cache 4096
                        """,
                        "memory.usage_in_bytes",
                        "12288\n",
                        "memory.max_usage_in_bytes",
                        "20480\n",
                        "memory.failcnt",
                        "4\n",
                        "memory.limit_in_bytes",
                        "67108864\n",
                        "memory.oom_control",
                        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
    }

    private Cgroup legacy() {
        return Cgroup.parse(
                List.of("9:pids:/n/c", "4:memory:/n/c", "2:cpu,cpuacct:/n/c", "1:name=systemd:/", "0::/"), mounts);
    }

    @Test
    void metricsOfVersionOne() throws IOException {
        writeLegacy();
        Metrics metrics = (Metrics) legacy().metrics();
        assertThat(metrics.getPids().getCurrent()).isEqualTo(2);
        assertThat(metrics.getPids().getLimit()).isZero();
        assertThat(metrics.getCpu().getUsage().getTotal()).isEqualTo(31415926);
        assertThat(metrics.getCpu().getUsage().getPerCpuList()).containsExactly(20000000L, 11415926L);
        assertThat(metrics.getCpu().getUsage().getUser()).isEqualTo(20_000_000);
        assertThat(metrics.getCpu().getThrottling().getThrottledTime()).isEqualTo(99);
        assertThat(metrics.getMemory().getRss()).isEqualTo(8192);
        assertThat(metrics.getMemory().getPgPgIn()).isEqualTo(5);
        assertThat(metrics.getMemory().getPgFault()).isEqualTo(6);
        assertThat(metrics.getMemory().getPgMajFault()).isEqualTo(1);
        assertThat(metrics.getMemory().getHierarchicalSwapLimit()).isEqualTo(9223372036854771712L);
        assertThat(metrics.getMemory().getUsage().getUsage()).isEqualTo(12288);
        assertThat(metrics.getMemory().getUsage().getFailcnt()).isEqualTo(4);
        assertThat(metrics.getMemory().getSwap().getUsage()).isZero();
        assertThat(metrics.getMemoryOomControl().getOomKill()).isEqualTo(2);
        assertThat(legacy().oomKills()).isEqualTo(2);
    }

    @Test
    void metricsOfVersionTwo() throws IOException {
        Files.writeString(mounts.resolve("cgroup.controllers"), "cpu memory pids\n");
        write(
                "n/c",
                Map.of(
                        "pids.current", "3\n",
                        "pids.max", "100\n",
                        "cpu.stat", "usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_periods 0\n",
                        "memory.stat", "anon 4096\nfile 8192\nslab 10\nunheard_of 1\n",
                        "memory.current", "12288\n",
                        "memory.max", "max\n",
                        "memory.swap.current", "0\n",
                        "memory.events", "low 0\nhigh 0\nmax 8\noom 2\noom_kill 1\n"));
        Cgroup cgroup = Cgroup.parse(List.of("0::/n/c"), mounts);
        var metrics = (dev.longshore.api.cgroups.v2.Metrics) cgroup.metrics();
        assertThat(metrics.getPids().getLimit()).isEqualTo(100);
        assertThat(metrics.getCpu().getUserUsec()).isEqualTo(200);
        assertThat(metrics.getMemory().getAnon()).isEqualTo(4096);
        assertThat(metrics.getMemory().getUsage()).isEqualTo(12288);
        assertThat(metrics.getMemory().getUsageLimit()).isZero();
        assertThat(metrics.getMemoryEvents().getOom()).isEqualTo(2);
        assertThat(cgroup.oomKills()).isEqualTo(1);
    }

    @Test
    void cgroupThatIsGoneHasNothingToTell() throws IOException {
        assertThat(legacy().oomKills()).isZero();
        Metrics metrics = (Metrics) legacy().metrics();
        assertThat(metrics.getPids().getCurrent()).isZero();
    }

    @Test
    void processWithoutCgroupsHasNoMemoryToWatch() throws IOException {
        assertThat(Cgroup.parse(List.of(), mounts).memoryEvents()).isEmpty();
    }
}
