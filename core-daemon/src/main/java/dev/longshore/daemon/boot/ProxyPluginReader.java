package dev.longshore.daemon.boot;

import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.Section;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.TlsFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads {@code [proxy_plugins]}. */
final class ProxyPluginReader {

    private static final int MOST_INFLIGHT = 10_000;

    private ProxyPluginReader() {}

    /**
     * @param state where the plugin that there is without any configuration has its socket
     * @param builtIn plugins of the daemon itself that are not disabled, by type and id
     */
    static List<ProxyPluginConfig> read(Section plugins, Path state, Set<String> builtIn) {
        Map<String, Section> sections = plugins.sections();
        if (sections.isEmpty()) {
            return List.of(overlay(state));
        }
        List<ProxyPluginConfig> configs = new ArrayList<>();
        sections.forEach((id, section) -> one(id, section, builtIn).ifPresent(configs::add));
        return configs;
    }

    private static ProxyPluginConfig overlay(Path state) {
        return new ProxyPluginConfig(
                "overlayfs",
                ProxyPluginConfig.Type.SNAPSHOT,
                new PluginAddress.Unix(state.resolve("overlay.sock")),
                Optional.empty(),
                "",
                Map.of(),
                List.of("rebase"),
                ProxyPluginConfig.DEFAULT_TIMEOUT,
                ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL,
                ProxyPluginConfig.DEFAULT_MAX_INFLIGHT);
    }

    private static Optional<ProxyPluginConfig> one(String id, Section section, Set<String> builtIn) {
        Optional<ProxyPluginConfig.Type> type = section.parsed("type", ProxyPluginConfig.Type::parse);
        Optional<PluginAddress> address = section.parsed("address", PluginAddress::parse);
        if (!section.says("type")) {
            section.problem("type", "is required: snapshot, content, diff or sandbox");
        }
        if (!section.says("address")) {
            section.problem("address", "is required: the path of the plugin's socket, or tcp://host:port");
        }
        String platform = section.string("platform").orElse("");
        Map<String, String> exports = section.section("exports").allStrings();
        List<String> capabilities = section.strings("capabilities");
        Optional<Duration> timeout = positive(section, "timeout");
        Optional<Duration> interval = positive(section.section("health"), "interval");
        int inflight = section.integer("max_inflight", 1, MOST_INFLIGHT).orElse(ProxyPluginConfig.DEFAULT_MAX_INFLIGHT);
        Optional<TlsFiles> tls = tls(section, address);
        if (type.isEmpty() || address.isEmpty()) {
            return Optional.empty();
        }
        if (builtIn.contains(type.get().uri(id))) {
            section.problem(
                    "type",
                    "makes a second plugin %s, which is built in: choose another name, or add it to disabled_plugins"
                            .formatted(type.get().uri(id)));
        }
        return Optional.of(new ProxyPluginConfig(
                id,
                type.get(),
                address.get(),
                tls,
                platform,
                exports,
                capabilities,
                timeout.orElseGet(type.get()::defaultTimeout),
                interval.orElse(ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL),
                inflight));
    }

    private static Optional<TlsFiles> tls(Section plugin, Optional<PluginAddress> address) {
        boolean insecure = plugin.bool("insecure").orElse(false);
        boolean remote = address.isPresent() && address.get() instanceof PluginAddress.Remote;
        if (!plugin.has("tls")) {
            if (remote && !insecure) {
                plugin.problem(
                        "address",
                        "is on another machine and there is no [%s]: whoever is on the way, or takes the plugin's place, could read layers and say what root mounts here. Add ca, cert and key there, or say insecure = true"
                                .formatted(plugin.name("tls")));
            }
            return Optional.empty();
        }
        Section tls = plugin.section("tls");
        Optional<Path> ca = file(tls, "ca");
        Optional<Path> cert = file(tls, "cert");
        Optional<Path> key = file(tls, "key");
        if (address.isPresent() && !remote) {
            plugin.problem("tls", "is for addresses tcp:// and dns:///, and of no use for a unix socket");
        } else if (insecure) {
            plugin.problem("insecure", "contradicts [%s]: remove one of them".formatted(plugin.name("tls")));
        } else if (ca.isPresent() && cert.isPresent() && key.isPresent()) {
            try {
                return Optional.of(TlsFiles.read(ca.get(), cert.get(), key.get()));
            } catch (InvalidArgumentException e) {
                plugin.problem("tls", String.valueOf(e.getMessage()));
            }
        }
        return Optional.empty();
    }

    private static Optional<Path> file(Section tls, String key) {
        if (!tls.says(key)) {
            tls.problem(key, "is required: the path of a PEM file");
        }
        return tls.parsed(key, text -> {
            if (!text.startsWith("/")) {
                throw new InvalidArgumentException("must be an absolute path, not \"%s\"".formatted(text));
            }
            return Path.of(text);
        });
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
