package dev.longshore.daemon.boot;

import dev.longshore.daemon.plugin.ReloadReport;
import dev.longshore.daemon.plugin.ReloadReport.Action;
import dev.longshore.daemon.plugin.ReloadReport.Change;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Reads the configuration again and brings the plugins to what it says. One that is broken changes nothing. Running
 * containers are not touched: no plugin is part of them.
 */
final class PluginReload {

    private static final Logger log = LoggerFactory.getLogger(PluginReload.class);

    private final ConfigSource source;
    private final Config started;
    private final ProxyPlugins plugins;
    private final Snapshotters snapshotters;
    private final Differs differs;

    /** One reload at a time. */
    private final ReentrantLock lock = new ReentrantLock();

    /** @param started what the daemon was started with */
    PluginReload(
            ConfigSource source, Config started, ProxyPlugins plugins, Snapshotters snapshotters, Differs differs) {
        this.source = source;
        this.started = started;
        this.plugins = plugins;
        this.snapshotters = snapshotters;
        this.differs = differs;
    }

    /** The plugins of a configuration that are not disabled, by type and id. */
    static Map<String, ProxyPluginConfig> enabled(Config config, List<String> disabled) {
        Map<String, ProxyPluginConfig> enabled = new LinkedHashMap<>();
        config.proxyPlugins().stream()
                .filter(plugin -> !disabled.contains(plugin.uri()))
                .forEach(plugin -> enabled.put(plugin.uri(), plugin));
        return enabled;
    }

    /** For those who cannot be answered: whatever comes of it is in the log. */
    void reloadAndLog(String why) {
        try {
            var _ = reload();
        } catch (InvalidArgumentException e) {
            log.atWarn()
                    .addKeyValue("why", why)
                    .addKeyValue("err", e.getMessage())
                    .log("configuration cannot be used: nothing was changed");
        } catch (RuntimeException e) {
            log.atError().addKeyValue("why", why).setCause(e).log("configuration could not be reloaded");
        }
    }

    /** @throws InvalidArgumentException if the configuration is broken: with a line for each thing that is wrong, and its place */
    ReloadReport reload() {
        lock.lock();
        try {
            ConfigReader.Result read = source.read();
            List<Change> changes = apply(read.config());
            ReloadReport report = new ReloadReport(
                    changes,
                    ConfigChanges.needingRestart(started, read.config()),
                    read.warnings().stream().map(ConfigProblem::toString).toList());
            log(report);
            return report;
        } catch (ConfigException e) {
            throw new InvalidArgumentException(String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw new InvalidArgumentException("the configuration cannot be read: " + e, e);
        } finally {
            lock.unlock();
        }
    }

    private List<Change> apply(Config config) {
        Map<String, ProxyPluginConfig> before = plugins.configs();
        // What is disabled was so at the start, and needs one to be otherwise.
        Map<String, ProxyPluginConfig> after = enabled(config, started.disabledPlugins());
        List<Change> changes = new ArrayList<>();
        before.forEach((uri, plugin) -> {
            if (!after.containsKey(uri)) {
                changes.add(remove(plugin));
            }
        });
        after.forEach((uri, plugin) -> {
            ProxyPluginConfig known = before.get(uri);
            if (known == null) {
                changes.add(add(plugin));
            } else {
                plugins.keep(uri);
                if (!known.equals(plugin)) {
                    changes.add(change(plugin));
                }
            }
        });
        differs.order(config.differs());
        return changes;
    }

    private Change add(ProxyPluginConfig plugin) {
        if (plugin.type() == ProxyPluginConfig.Type.CONTENT) {
            return refused(plugin.uri(), "the content store cannot be another while the daemon runs: restart it");
        }
        try {
            plugins.add(plugin);
            return new Change(plugin.uri(), Action.ADDED, "at " + plugin.address());
        } catch (ContainerdException e) {
            return refused(plugin.uri(), String.valueOf(e.getMessage()));
        }
    }

    private Change change(ProxyPluginConfig plugin) {
        try {
            plugins.change(plugin);
            return new Change(plugin.uri(), Action.CHANGED, "at " + plugin.address());
        } catch (ContainerdException e) {
            return refused(plugin.uri(), String.valueOf(e.getMessage()));
        }
    }

    private Change remove(ProxyPluginConfig plugin) {
        Optional<String> kept = plugins.remove(plugin.uri(), () -> reasonToKeep(plugin));
        return kept.map(why -> refused(plugin.uri(), why))
                .orElseGet(() -> new Change(plugin.uri(), Action.REMOVED, "was at " + plugin.address()));
    }

    private Optional<String> reasonToKeep(ProxyPluginConfig plugin) {
        return switch (plugin.type()) {
            case SNAPSHOT ->
                Optional.of(snapshotters.metadata(plugin.id()).held())
                        .filter(held -> held.count() > 0)
                        .map(held -> "it holds %s; remove them first, and reload again".formatted(held));
            case CONTENT ->
                Optional.of("the content store cannot be another while the daemon runs: restart it without the plugin");
            case DIFF, SANDBOX -> Optional.empty();
        };
    }

    private static Change refused(String uri, String why) {
        return new Change(uri, Action.REFUSED, why);
    }

    private static void log(ReloadReport report) {
        report.warnings().forEach(warning -> log.warn("configuration: {}", warning));
        for (Change change : report.changes()) {
            log.atLevel(change.action() == Action.REFUSED ? Level.WARN : Level.INFO)
                    .addKeyValue("plugin", change.plugin())
                    .addKeyValue("action", change.action())
                    .addKeyValue("reason", change.reason())
                    .log("plugin reloaded");
        }
        report.needsRestart()
                .forEach(key -> log.atWarn()
                        .addKeyValue("key", key)
                        .log("configuration has changed: restart the daemon for it"));
    }
}
