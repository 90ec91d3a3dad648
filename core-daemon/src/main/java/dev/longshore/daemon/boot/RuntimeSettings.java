package dev.longshore.daemon.boot;

import dev.longshore.daemon.metadata.Container;
import dev.longshore.daemon.runtime.Containers;
import dev.longshore.daemon.runtime.RuntimeConfig;
import dev.longshore.daemon.runtime.RuntimeTimeouts;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the runtime of tasks needs of the daemon's configuration and metadata. */
final class RuntimeSettings {

    private static final String TIMEOUT = "io.containerd.timeout.";

    private RuntimeSettings() {}

    static RuntimeConfig of(Config config, DaemonFolders folders, Map<String, String> environment) {
        Optional<Path> bin = bin();
        return new RuntimeConfig(
                folders.tasksState(),
                folders.tasksRoot(),
                config.grpc().address().toString(),
                config.ttrpc().address().toString(),
                bin.map(folder -> folder.resolve("longshored").toString()).orElse("longshored"),
                path(environment.getOrDefault("PATH", "")),
                bin,
                config.socketDir(),
                environment(config.shimEnvironment()),
                config.logLevel().equals("debug") || config.logLevel().equals("trace"),
                timeouts(config.timeouts()));
    }

    /** Where the daemon's own programs are; empty if it does not run from a distribution. */
    static Optional<Path> bin() {
        return Optional.ofNullable(System.getProperty("longshore.home")).map(home -> Path.of(home, "bin"));
    }

    /** The folders of a PATH. */
    static List<Path> path(String text) {
        return Arrays.stream(text.split(":", -1))
                .filter(folder -> !folder.isEmpty())
                .map(Path::of)
                .toList();
    }

    private static Map<String, String> environment(List<String> pairs) {
        Map<String, String> environment = new HashMap<>();
        for (String pair : pairs) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                environment.put(pair.substring(0, equals), pair.substring(equals + 1));
            }
        }
        return environment;
    }

    private static RuntimeTimeouts timeouts(Map<String, Duration> configured) {
        RuntimeTimeouts defaults = RuntimeTimeouts.DEFAULTS;
        return new RuntimeTimeouts(
                configured.getOrDefault(TIMEOUT + "shim.load", defaults.load()),
                configured.getOrDefault(TIMEOUT + "shim.cleanup", defaults.cleanup()),
                configured.getOrDefault(TIMEOUT + "shim.shutdown", defaults.shutdown()),
                configured.getOrDefault(TIMEOUT + "task.state", defaults.state()),
                configured.getOrDefault(TIMEOUT + "shim.start", defaults.start()),
                defaults.call(),
                defaults.slowCall());
    }

    static Containers.Container container(Container container) {
        return new Containers.Container(container.id(), container.runtime(), container.options(), container.spec());
    }
}
