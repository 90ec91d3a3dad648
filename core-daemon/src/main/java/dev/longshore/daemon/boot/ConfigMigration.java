package dev.longshore.daemon.boot;

import dev.longshore.sdk.config.Section;
import java.util.List;

/**
 * Brings a file of version 2 or 3 to version 4, as containerd does when it loads one: what has another name or place now is
 * moved there, unless the file has something there already.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/PLUGINS.md">versions of the configuration</a>
 */
final class ConfigMigration {

    static final String GRPC = "io.containerd.server.v1.grpc";
    static final String GRPC_TCP = "io.containerd.server.v1.grpc-tcp";
    static final String TTRPC = "io.containerd.server.v1.ttrpc";
    static final String METRICS = "io.containerd.server.v1.metrics";
    static final String GRPC_METRICS = "io.containerd.metrics.v1.grpc-prometheus";
    static final String DEBUG = "io.containerd.server.v1.debug";
    static final String SHIMS = "io.containerd.shim.v1.manager";
    static final String TASKS = "io.containerd.runtime.v2.task";

    private ConfigMigration() {}

    static void migrate(Section file) {
        Section plugins = file.make("plugins");
        // To version 3.
        plugins.move("io.containerd.monitor.v1.cgroups", plugins, "io.containerd.monitor.task.v1.cgroups");
        plugins.move("io.containerd.internal.v1.restart", plugins, "io.containerd.monitor.container.v1.restart");
        schedCore(plugins);
        // To version 4.
        if (file.has("grpc")) {
            grpc(file, plugins);
        }
        if (file.has("ttrpc")) {
            moveAll(file.make("ttrpc"), plugins.make(TTRPC), List.of("address", "uid", "gid"));
        }
        if (file.has("metrics")) {
            Section metrics = file.make("metrics");
            moveAll(metrics, plugins.make(METRICS), List.of("address"));
            moveAll(metrics, plugins.make(GRPC_METRICS), List.of("grpc_histogram"));
        }
        if (file.has("debug") && file.make("debug").has("address")) {
            moveAll(file.make("debug"), plugins.make(DEBUG), List.of("address", "uid", "gid"));
        }
    }

    private static void grpc(Section file, Section plugins) {
        Section grpc = file.make("grpc");
        Section tcp = plugins.make(GRPC_TCP);
        grpc.move("tcp_address", tcp, "address");
        grpc.move("tcp_tls_ca", tcp, "tls_ca");
        grpc.move("tcp_tls_cert", tcp, "tls_cert");
        grpc.move("tcp_tls_key", tcp, "tls_key");
        grpc.move("tcp_tls_common_name", tcp, "tls_common_name");
        moveAll(
                grpc,
                plugins.make(GRPC),
                List.of("address", "uid", "gid", "max_recv_message_size", "max_send_message_size"));
    }

    private static void moveAll(Section from, Section to, List<String> keys) {
        keys.forEach(key -> from.move(key, to, key));
    }

    /** Core scheduling was a switch of the runtime's; now it is a variable in the environment of shims. */
    private static void schedCore(Section plugins) {
        if (!plugins.has(TASKS) || !plugins.make(TASKS).has("sched_core")) {
            return;
        }
        Section tasks = plugins.make(TASKS);
        if (tasks.bool("sched_core").orElse(false)) {
            plugins.make(SHIMS).set("env", List.of("SCHED_CORE=1"), tasks.place("sched_core"));
        }
        tasks.remove("sched_core");
    }
}
