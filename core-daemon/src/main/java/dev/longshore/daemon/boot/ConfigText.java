package dev.longshore.daemon.boot;

import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.transport.grpc.PluginAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A configuration as a file of version 4 that says the same. */
final class ConfigText {

    private final StringBuilder text = new StringBuilder();
    private boolean heading;

    private ConfigText() {}

    /** The file that changes nothing. */
    static String defaults() throws ConfigException {
        return "# What longshored does when it is told nothing. Every key is in docs/config.md.\n"
                + new ConfigText().write(ConfigReader.parse("", "defaults").config(), list(Config.DEFAULT_IMPORTS));
    }

    /** One file: what it imported is in it. */
    static String of(Config config) {
        return new ConfigText().write(config, list(List.of()));
    }

    private String write(Config config, String imports) {
        comment("The version of this file: 2, 3 and 4 are read.");
        key("version", "4");
        comment("What must survive a restart of the machine: metadata, content.");
        key("root", quoted(config.root().toString()));
        comment("What need not: bundles, sockets.");
        key("state", quoted(config.state().toString()));
        comment("More files, merged into this one: relative to it, with *, ? and [...].");
        comment("Those in conf.d are watched: a plugin that is added there needs no restart.");
        key("imports", imports);
        comment("Whether an unknown key ends the start, instead of being warned of.");
        key("strict", Boolean.toString(config.strict()));
        comment("For the kernel, when memory runs out: -1000 to 1000; 0 leaves it as it is.");
        key("oom_score", Integer.toString(config.oomScore()));
        comment("Plugins by type and id, e.g. io.containerd.grpc.v1.tasks: not to be started,");
        key("disabled_plugins", list(config.disabledPlugins()));
        comment("and without which the daemon does not start.");
        key("required_plugins", list(config.requiredPlugins()));
        table("debug");
        comment("trace, debug, info, warn or error.");
        key("level", quoted(config.logLevel()));
        comment("text or json.");
        key("format", quoted(config.logFormat()));
        heading("How long the daemon waits for shims, e.g. \"io.containerd.timeout.shim.start\" = \"30s\".");
        table("timeouts");
        config.timeouts().forEach((name, value) -> key(quoted(name), quoted(go(value))));
        config.proxyPlugins().forEach(this::proxyPlugin);
        config.streamProcessors().values().forEach(processor -> {
            heading("A program that turns one media type into another.");
            table("stream_processors." + quoted(processor.id()));
            key("accepts", list(processor.accepts()));
            key("returns", quoted(processor.returns()));
            key("path", quoted(processor.path()));
            key("args", list(processor.args()));
            key("env", list(processor.env()));
        });
        heading("The socket that clients connect to, of mode 0660, and the bytes of one message.");
        table("plugins.\"io.containerd.server.v1.grpc\"");
        socket(config.grpc());
        key("max_recv_message_size", Integer.toString(config.messages().received()));
        key("max_send_message_size", Integer.toString(config.messages().sent()));
        heading("The socket that shims send events to, of mode 0600.");
        table("plugins.\"io.containerd.server.v1.ttrpc\"");
        socket(config.ttrpc());
        heading("host:port for Prometheus, at /v1/metrics; empty for none.");
        table("plugins.\"io.containerd.server.v1.metrics\"");
        key("address", quoted(config.metricsAddress().orElse("")));
        heading(
                "The garbage collector: at most pause_threshold of the time, after so many deletions (0: any) or",
                "changes, so long after the first of them.");
        table("plugins.\"io.containerd.gc.v1.scheduler\"");
        key("pause_threshold", Double.toString(config.gc().pauseThreshold()));
        key("deletion_threshold", Integer.toString(config.gc().deletionThreshold()));
        key("mutation_threshold", Integer.toString(config.gc().mutationThreshold()));
        key("schedule_delay", quoted(go(config.gc().scheduleDelay())));
        key("startup_delay", quoted(go(config.gc().startupDelay())));
        heading("shared: who knows a digest has the content. isolated: each namespace brings it itself.");
        table("plugins.\"io.containerd.metadata.v1.bolt\"");
        key("content_sharing_policy", quoted(config.contentSharing().name().toLowerCase(Locale.ROOT)));
        heading("Where shims make their sockets, and what is added to their environment.");
        table("plugins.\"io.containerd.shim.v1.manager\"");
        key("socket_dir", quoted(config.socketDir().toString()));
        key("env", list(config.shimEnvironment()));
        heading("The differs, in the order in which they are tried, and whether layers are flushed to the disk.");
        table("plugins.\"io.containerd.service.v1.diff-service\"");
        key("default", list(config.differs()));
        key("sync_fs", Boolean.toString(config.syncFs()));
        return text.toString();
    }

    private void proxyPlugin(ProxyPluginConfig plugin) {
        String name = "proxy_plugins." + quoted(plugin.id());
        heading("A plugin behind a socket: what clients ask for by this name. See docs/plugins.md.");
        table(name);
        comment("snapshot, content, diff or sandbox.");
        key("type", quoted(plugin.type().name().toLowerCase(Locale.ROOT)));
        key("address", quoted(plugin.address().toString()));
        if (plugin.address() instanceof PluginAddress.Remote && plugin.tls().isEmpty()) {
            key("insecure", "true");
        }
        if (!plugin.platform().isEmpty()) {
            key("platform", quoted(plugin.platform()));
        }
        key("capabilities", list(plugin.capabilities()));
        comment("The longest that one call may take, and how many may be under way.");
        key("timeout", quoted(go(plugin.timeout())));
        key("max_inflight", Integer.toString(plugin.maxInflight()));
        strings(name + ".exports", plugin.exports());
        plugin.tls().ifPresent(tls -> {
            table(name + ".tls");
            key("ca", quoted(tls.ca().toString()));
            key("cert", quoted(tls.cert().toString()));
            key("key", quoted(tls.key().toString()));
        });
        table(name + ".health");
        comment("Between two questions whether it is well.");
        key("interval", quoted(go(plugin.healthInterval())));
    }

    private void socket(Config.Socket socket) {
        key("address", quoted(socket.address().toString()));
        key("uid", Integer.toString(socket.uid()));
        key("gid", Integer.toString(socket.gid()));
    }

    private void comment(String line) {
        text.append("# ").append(line).append('\n');
    }

    /** Above the next table. */
    private void heading(String... lines) {
        text.append('\n');
        List.of(lines).forEach(this::comment);
        heading = true;
    }

    private void strings(String name, Map<String, String> strings) {
        if (!strings.isEmpty()) {
            table(name);
            strings.forEach((key, value) -> key(quoted(key), quoted(value)));
        }
    }

    private void table(String name) {
        text.append(heading ? "" : "\n").append('[').append(name).append("]\n");
        heading = false;
    }

    private void key(String name, String value) {
        text.append(name).append(" = ").append(value).append('\n');
    }

    private static String list(List<String> items) {
        return items.stream().map(ConfigText::quoted).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String quoted(String value) {
        return "\""
                + value.replace("\\", "\\\\")
                        .replace("\"", "\\\"")
                        .replace("\n", "\\n")
                        .replace("\t", "\\t")
                + "\"";
    }

    /** Go's syntax, in the largest unit that says it whole. */
    private static String go(Duration duration) {
        long nanos = duration.toNanos();
        if (nanos % 1_000_000_000 == 0) {
            return nanos / 1_000_000_000 + "s";
        }
        return nanos % 1_000_000 == 0 ? nanos / 1_000_000 + "ms" : nanos + "ns";
    }
}
