package dev.longshore.daemon.boot;

import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.Section;
import dev.longshore.transport.grpc.SocketPath;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads {@code [proxy_plugins]}. */
final class ProxyPluginReader {

    private static final int MOST_INFLIGHT = 10_000;

    private ProxyPluginReader() {}

    /** @param state where the plugin that there is without any configuration has its socket */
    static List<ProxyPluginConfig> read(Section plugins, Path state) {
        Map<String, Section> sections = plugins.sections();
        if (sections.isEmpty()) {
            return List.of(overlay(state));
        }
        List<ProxyPluginConfig> configs = new ArrayList<>();
        sections.forEach((id, section) -> one(id, section).ifPresent(configs::add));
        return configs;
    }

    private static ProxyPluginConfig overlay(Path state) {
        return new ProxyPluginConfig(
                "overlayfs",
                ProxyPluginConfig.Type.SNAPSHOT,
                state.resolve("overlay.sock"),
                "",
                Map.of(),
                List.of("rebase"),
                ProxyPluginConfig.DEFAULT_TIMEOUT,
                ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL,
                ProxyPluginConfig.DEFAULT_MAX_INFLIGHT);
    }

    private static Optional<ProxyPluginConfig> one(String id, Section section) {
        Optional<ProxyPluginConfig.Type> type = section.parsed("type", ProxyPluginConfig.Type::parse);
        Optional<Path> address = section.parsed("address", SocketPath::parse);
        if (!section.says("type")) {
            section.problem("type", "is required: snapshot, content, diff or sandbox");
        }
        if (!section.says("address")) {
            section.problem("address", "is required: the path of the plugin's socket");
        }
        String platform = section.string("platform").orElse("");
        Map<String, String> exports = section.section("exports").allStrings();
        List<String> capabilities = section.strings("capabilities");
        Optional<Duration> timeout = positive(section, "timeout");
        Optional<Duration> interval = positive(section.section("health"), "interval");
        int inflight = section.integer("max_inflight", 1, MOST_INFLIGHT).orElse(ProxyPluginConfig.DEFAULT_MAX_INFLIGHT);
        if (type.isEmpty() || address.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new ProxyPluginConfig(
                id,
                type.get(),
                address.get(),
                platform,
                exports,
                capabilities,
                timeout.orElseGet(type.get()::defaultTimeout),
                interval.orElse(ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL),
                inflight));
    }

    private static Optional<Duration> positive(Section section, String key) {
        Optional<Duration> duration = section.duration(key);
        if (duration.isPresent() && !duration.get().isPositive()) {
            section.problem(key, "must be above 0");
            return Optional.empty();
        }
        return duration;
    }
}
