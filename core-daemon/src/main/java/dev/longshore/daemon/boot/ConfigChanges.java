package dev.longshore.daemon.boot;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Finds the keys that take effect only at a start. */
final class ConfigChanges {

    /** One key, or a table of them, and what of a configuration is in it. */
    private record Key(String name, Function<Config, Object> value) {}

    /** All of a configuration but its plugins, and the order of differs, which are of plugins. */
    private static final List<Key> KEYS = List.of(
            new Key("root", Config::root),
            new Key("state", Config::state),
            new Key("plugins.\"" + ConfigMigration.GRPC + "\"", config -> List.of(config.grpc(), config.messages())),
            new Key("plugins.\"" + ConfigMigration.TTRPC + "\"", Config::ttrpc),
            new Key("plugins.\"" + ConfigMigration.METRICS + "\"", Config::metricsAddress),
            new Key("debug", config -> List.of(config.logLevel(), config.logFormat())),
            new Key("oom_score", Config::oomScore),
            new Key("timeouts", Config::timeouts),
            new Key("stream_processors", Config::streamProcessors),
            new Key("plugins.\"io.containerd.gc.v1.scheduler\"", Config::gc),
            new Key("plugins.\"io.containerd.metadata.v1.bolt\"", Config::contentSharing),
            new Key(
                    "plugins.\"" + ConfigMigration.SHIMS + "\"",
                    config -> List.of(config.socketDir(), config.shimEnvironment())),
            new Key("plugins.\"io.containerd.service.v1.diff-service\".sync_fs", Config::syncFs),
            new Key("disabled_plugins", Config::disabledPlugins),
            new Key("required_plugins", Config::requiredPlugins));

    private ConfigChanges() {}

    /** The names of the keys whose values differ, beside those of plugins. */
    static List<String> needingRestart(Config before, Config after) {
        List<String> changed = new ArrayList<>();
        for (Key key : KEYS) {
            if (!key.value().apply(before).equals(key.value().apply(after))) {
                changed.add(key.name());
            }
        }
        return changed;
    }
}
