package dev.longshore.daemon.boot;

import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A configuration as a file of version 4 that says the same. */
final class ConfigText {

    private final StringBuilder text = new StringBuilder();

    private ConfigText() {}

    /** The file that changes nothing. */
    static String defaults() throws ConfigException {
        return "# What longshored does when it is told nothing. Every key is in docs/config.md.\n"
                + of(ConfigReader.parse("", "defaults").config());
    }

    static String of(Config config) {
        return new ConfigText().write(config);
    }

    private String write(Config config) {
        key("version", "4");
        key("root", quoted(config.root().toString()));
        key("state", quoted(config.state().toString()));
        key("oom_score", Integer.toString(config.oomScore()));
        key("disabled_plugins", list(config.disabledPlugins()));
        key("required_plugins", list(config.requiredPlugins()));
        table("debug");
        key("level", quoted(config.logLevel()));
        table("timeouts");
        config.timeouts().forEach((name, value) -> key(quoted(name), quoted(go(value))));
        for (ProxyPluginConfig plugin : config.proxyPlugins()) {
            table("proxy_plugins." + quoted(plugin.id()));
            key("type", quoted(plugin.type().name().toLowerCase(Locale.ROOT)));
            key("address", quoted(plugin.address().toString()));
            if (!plugin.platform().isEmpty()) {
                key("platform", quoted(plugin.platform()));
            }
            key("capabilities", list(plugin.capabilities()));
            key("timeout", quoted(go(plugin.timeout())));
            strings("proxy_plugins." + quoted(plugin.id()) + ".exports", plugin.exports());
        }
        config.streamProcessors().values().forEach(processor -> {
            table("stream_processors." + quoted(processor.id()));
            key("accepts", list(processor.accepts()));
            key("returns", quoted(processor.returns()));
            key("path", quoted(processor.path()));
            key("args", list(processor.args()));
            key("env", list(processor.env()));
        });
        table("plugins.\"io.containerd.server.v1.grpc\"");
        key("address", quoted(config.grpc().address().toString()));
        key("uid", Integer.toString(config.grpc().uid()));
        key("gid", Integer.toString(config.grpc().gid()));
        table("plugins.\"io.containerd.server.v1.ttrpc\"");
        key("address", quoted(config.ttrpcAddress().toString()));
        table("plugins.\"io.containerd.server.v1.metrics\"");
        key("address", quoted(config.metricsAddress().orElse("")));
        table("plugins.\"io.containerd.gc.v1.scheduler\"");
        key("pause_threshold", Double.toString(config.gc().pauseThreshold()));
        key("deletion_threshold", Integer.toString(config.gc().deletionThreshold()));
        key("mutation_threshold", Integer.toString(config.gc().mutationThreshold()));
        key("schedule_delay", quoted(go(config.gc().scheduleDelay())));
        key("startup_delay", quoted(go(config.gc().startupDelay())));
        table("plugins.\"io.containerd.metadata.v1.bolt\"");
        key("content_sharing_policy", quoted(config.contentSharing().name().toLowerCase(Locale.ROOT)));
        table("plugins.\"io.containerd.shim.v1.manager\"");
        key("socket_dir", quoted(config.socketDir().toString()));
        key("env", list(config.shimEnvironment()));
        table("plugins.\"io.containerd.service.v1.diff-service\"");
        key("sync_fs", Boolean.toString(config.syncFs()));
        return text.toString();
    }

    private void strings(String name, Map<String, String> strings) {
        if (!strings.isEmpty()) {
            table(name);
            strings.forEach((key, value) -> key(quoted(key), quoted(value)));
        }
    }

    private void table(String name) {
        text.append("\n[").append(name).append("]\n");
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
