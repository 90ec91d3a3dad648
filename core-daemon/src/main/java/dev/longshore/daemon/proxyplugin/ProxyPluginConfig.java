package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.TlsFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A plugin as {@code [proxy_plugins.<id>]} has it.
 *
 * @param address where it is reached
 * @param tls for an address on another machine; empty if the operator wants none
 * @param platform e.g. {@code linux/amd64}; empty for this machine's
 * @param timeout the longest that one call may take; of content, one message of a stream
 * @param healthInterval between two questions whether it is well, while it is
 * @param maxInflight calls under way at a time; more are refused
 */
public record ProxyPluginConfig(
        String id,
        Type type,
        PluginAddress address,
        Optional<TlsFiles> tls,
        String platform,
        Map<String, String> exports,
        List<String> capabilities,
        Duration timeout,
        Duration healthInterval,
        int maxInflight) {

    public static final Duration DEFAULT_HEALTH_INTERVAL = Duration.ofSeconds(3);

    public static final int DEFAULT_MAX_INFLIGHT = 128;

    /** Long enough for a snapshotter that scans a big container; a client's deadline may be shorter. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    /** For a layer to be applied or made. */
    public static final Duration DEFAULT_DIFF_TIMEOUT = Duration.ofHours(1);

    /** What a plugin serves. */
    public enum Type {
        SNAPSHOT("io.containerd.snapshotter.v1"),
        CONTENT("io.containerd.content.v1"),
        DIFF("io.containerd.differ.v1"),
        SANDBOX("io.containerd.sandbox.controller.v1");

        private final String pluginType;

        Type(String pluginType) {
            this.pluginType = pluginType;
        }

        /** For plugins whose configuration has none. */
        public Duration defaultTimeout() {
            return this == DIFF ? DEFAULT_DIFF_TIMEOUT : DEFAULT_TIMEOUT;
        }

        /** Of a plugin of this type, as containerd names plugins. */
        public String uri(String id) {
            return pluginType + "." + id;
        }

        /** The type in the table of plugins. */
        public String pluginType() {
            return pluginType;
        }

        /**
         * The type of a configuration: {@code snapshot}, {@code content}, {@code diff}, {@code sandbox}, or the full name.
         *
         * @throws InvalidArgumentException if it is none of these
         */
        public static Type parse(String text) {
            for (Type type : values()) {
                if (type.pluginType.equals(text) || type.name().equalsIgnoreCase(text)) {
                    return type;
                }
            }
            throw new InvalidArgumentException(
                    "unknown proxy plugin type \"%s\": use snapshot, content, diff or sandbox".formatted(text));
        }
    }

    public ProxyPluginConfig {
        exports = Map.copyOf(exports);
        capabilities = List.copyOf(capabilities);
        if (timeout.isNegative() || timeout.isZero()) {
            throw new InvalidArgumentException("timeout of proxy plugin %s must be above 0".formatted(id));
        }
        if (healthInterval.isNegative() || healthInterval.isZero()) {
            throw new InvalidArgumentException("health interval of proxy plugin %s must be above 0".formatted(id));
        }
        if (maxInflight < 1) {
            throw new InvalidArgumentException("max_inflight of proxy plugin %s must be above 0".formatted(id));
        }
    }

    /** A plugin of this machine of which nothing is said but where it is. */
    public ProxyPluginConfig(String id, Type type, Path socket) {
        this(
                id,
                type,
                new PluginAddress.Unix(socket),
                Optional.empty(),
                "",
                Map.of(),
                List.of(),
                type.defaultTimeout(),
                DEFAULT_HEALTH_INTERVAL,
                DEFAULT_MAX_INFLIGHT);
    }

    /** Its type and id, as containerd names plugins. */
    public String uri() {
        return type.uri(id);
    }

    /** A message about the plugin, naming it. */
    String describe(String what) {
        return "plugin %s at %s %s".formatted(id, address, what);
    }
}
