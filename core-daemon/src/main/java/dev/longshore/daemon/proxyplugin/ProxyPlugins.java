package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Snapshotter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The plugins that are configured at the moment: whoever needs one asks here, each time. None of them need be there: each is
 * used as soon as it answers, and again when it comes back. Plugins may be added, changed and removed while others are
 * called; that is done by one thread at a time.
 */
public final class ProxyPlugins implements AutoCloseable {

    /** For calls under way at a plugin that is to be removed. */
    private static final Duration RETIREMENT = Duration.ofSeconds(2);

    private static final Logger log = LoggerFactory.getLogger(ProxyPlugins.class);

    private final Clock clock;
    private final MeterRegistry registry;
    private final List<Consumer<PluginChange>> listeners = new CopyOnWriteArrayList<>();
    private final Connections connections = new Connections();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("plugin-probes").daemon(true).factory());

    /** By type and id. */
    private final Map<String, Served> plugins = new ConcurrentSkipListMap<>();

    /** A plugin, and what is called of it; nothing of one that this daemon does not call. */
    private record Served(
            ProxyPlugin plugin,
            Optional<Snapshotter> snapshotter,
            Optional<ContentStore> content,
            Optional<GuardedDiffer> differ) {

        static Served of(ProxyPlugin plugin) {
            ProxyPluginConfig.Type type = plugin.config().type();
            return new Served(
                    plugin,
                    Optional.of(type)
                            .filter(ProxyPluginConfig.Type.SNAPSHOT::equals)
                            .map(_ -> new GuardedSnapshotter(plugin)),
                    Optional.of(type)
                            .filter(ProxyPluginConfig.Type.CONTENT::equals)
                            .map(_ -> new GuardedContentStore(plugin)),
                    Optional.of(type)
                            .filter(ProxyPluginConfig.Type.DIFF::equals)
                            .map(_ -> new GuardedDiffer(plugin)));
        }
    }

    /** No plugins yet; see {@link #add}. */
    public ProxyPlugins(Clock clock, MeterRegistry registry) {
        this.clock = clock;
        this.registry = registry;
    }

    /** Has {@code listener} told of every change of a plugin's state from now on; it must not block. */
    public void listen(Consumer<PluginChange> listener) {
        listeners.add(listener);
    }

    private void changed(PluginChange change) {
        log.atInfo()
                .addKeyValue("plugin", change.plugin().id())
                .addKeyValue("address", change.plugin().address())
                .addKeyValue("state", change.now().state())
                .addKeyValue(
                        "err", change.now().problem().map(Throwable::getMessage).orElse("none"))
                .log("plugin changed its state");
        listeners.forEach(listener -> listener.accept(change));
    }

    /**
     * Adds a plugin, which is connected to from now on.
     *
     * @throws InvalidArgumentException if there is one of that name and type, or another content store
     */
    public void add(ProxyPluginConfig config) {
        if (plugins.containsKey(config.uri())) {
            throw new InvalidArgumentException("there are two proxy plugins %s: rename one".formatted(config.uri()));
        }
        if (config.type() == ProxyPluginConfig.Type.CONTENT) {
            of(ProxyPluginConfig.Type.CONTENT).forEach(other -> {
                throw new InvalidArgumentException(
                        "proxy plugins %s and %s are both content stores: configure one of them"
                                .formatted(other, config.id()));
            });
        }
        ProxyPlugin plugin = new ProxyPlugin(config, connections, registry, clock, timer, this::changed);
        plugins.put(config.uri(), Served.of(plugin));
    }

    /**
     * Has calls of the plugin of that name and type go by {@code config} from now on; those under way end as they began.
     *
     * @throws InvalidArgumentException if there is no such plugin, or nothing to connect to
     */
    public void change(ProxyPluginConfig config) {
        require(config.uri()).change(config);
    }

    /**
     * Removes a plugin, unless there is a reason to keep it. It is not called while that is looked for.
     *
     * @param uri its type and id
     * @param reason why it must stay, if so; asked for when no call is under way
     * @return why it was kept; empty if it is gone
     */
    public Optional<String> remove(String uri, Supplier<Optional<String>> reason) {
        ProxyPlugin plugin = require(uri);
        Optional<String> kept = Optional.of("it cannot be told what it holds");
        try {
            kept = plugin.retire(RETIREMENT)
                    ? reason.get()
                    : Optional.of("calls are under way that did not end in %d s".formatted(RETIREMENT.toSeconds()));
        } finally {
            kept.ifPresent(why -> plugin.stay("refused: " + why));
        }
        if (kept.isEmpty()) {
            plugins.remove(uri);
            plugin.close();
        }
        return kept;
    }

    /** Takes note that the plugin is configured, also if it was not for a while and could not be removed. */
    public void keep(String uri) {
        require(uri).wanted();
    }

    /** The configurations that calls go by, by type and id. */
    public Map<String, ProxyPluginConfig> configs() {
        Map<String, ProxyPluginConfig> configs = new TreeMap<>();
        plugins.forEach((uri, served) -> configs.put(uri, served.plugin.config()));
        return configs;
    }

    /** Says what is amiss with what a snapshotter keeps, or that nothing is; one that is gone does not matter. */
    public void loss(String snapshotter, Optional<ContainerdException> problem) {
        find(ProxyPluginConfig.Type.SNAPSHOT, snapshotter).ifPresent(served -> served.plugin.loss(problem));
    }

    private ProxyPlugin require(String uri) {
        Served served = plugins.get(uri);
        if (served == null) {
            throw new InvalidArgumentException("there is no proxy plugin %s".formatted(uri));
        }
        return served.plugin;
    }

    private List<String> of(ProxyPluginConfig.Type type) {
        return plugins.values().stream()
                .map(served -> served.plugin.config())
                .filter(config -> config.type() == type)
                .map(ProxyPluginConfig::id)
                .toList();
    }

    private Optional<Served> find(ProxyPluginConfig.Type type, String id) {
        return Optional.ofNullable(plugins.get(type.uri(id)));
    }

    /** The names of the snapshotters, in order. */
    public List<String> snapshotters() {
        return of(ProxyPluginConfig.Type.SNAPSHOT);
    }

    /** The snapshotter of that name: the same one each time, as long as it is configured. */
    public Optional<Snapshotter> snapshotter(String name) {
        return find(ProxyPluginConfig.Type.SNAPSHOT, name).flatMap(Served::snapshotter);
    }

    /** What the snapshotter of that name is said to be able to do, beyond what all can. */
    public List<String> capabilities(String snapshotter) {
        return find(ProxyPluginConfig.Type.SNAPSHOT, snapshotter)
                .map(served -> served.plugin.config().capabilities())
                .orElse(List.of());
    }

    /** What the configuration says about the snapshotter of that name for those who use it. */
    public Map<String, String> exports(String snapshotter) {
        return find(ProxyPluginConfig.Type.SNAPSHOT, snapshotter)
                .map(served -> served.plugin.config().exports())
                .orElse(Map.of());
    }

    /** The content store that is to be used instead of the built-in one. */
    public Optional<ContentStore> contentStore() {
        return plugins.values().stream()
                .flatMap(served -> served.content.stream())
                .findFirst();
    }

    /** Its name in the configuration; empty if there is none. */
    public Optional<String> contentStoreName() {
        return of(ProxyPluginConfig.Type.CONTENT).stream().findFirst();
    }

    /** The applier of that name. */
    public Optional<Applier> applier(String name) {
        return differ(name).map(Function.identity());
    }

    /** The comparer of that name. */
    public Optional<Comparer> comparer(String name) {
        return differ(name).map(Function.identity());
    }

    private Optional<GuardedDiffer> differ(String name) {
        return find(ProxyPluginConfig.Type.DIFF, name).flatMap(Served::differ);
    }

    /**
     * Waits until the plugin can be used, if it is one of these.
     *
     * @param uri its type and id
     * @throws UnavailableException if it cannot be used by then
     */
    public void require(String uri, Deadline deadline) {
        Served served = plugins.get(uri);
        if (served != null) {
            served.plugin.require(deadline);
        }
    }

    /** How each plugin is, by name. */
    public Map<String, PluginHealth> health() {
        Map<String, PluginHealth> health = new TreeMap<>();
        plugins.values().forEach(served -> health.put(served.plugin.config().id(), served.plugin.health()));
        return health;
    }

    /** For the table of plugins, as they stand now. */
    public List<Plugin> describe() {
        return plugins.values().stream().map(served -> served.plugin.describe()).toList();
    }

    @Override
    public void close() {
        plugins.values().forEach(served -> served.plugin.close());
        timer.shutdownNow();
        connections.close();
    }
}
