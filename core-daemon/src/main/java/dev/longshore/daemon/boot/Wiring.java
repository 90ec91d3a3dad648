package dev.longshore.daemon.boot;

import dev.longshore.daemon.boot.Differs.BuiltIn;
import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.content.MeteredContentStore;
import dev.longshore.daemon.diff.ProcessingApplier;
import dev.longshore.daemon.diff.StreamProcessors;
import dev.longshore.daemon.diff.WalkingApplier;
import dev.longshore.daemon.diff.WalkingComparer;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.daemon.gc.GarbageCollector;
import dev.longshore.daemon.gc.GarbageCollector.Backend;
import dev.longshore.daemon.metadata.MetadataContentStore;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.proxyplugin.PluginChange;
import dev.longshore.daemon.proxyplugin.PluginHealth.State;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.daemon.runtime.TaskRuntime;
import dev.longshore.daemon.service.ContainersService;
import dev.longshore.daemon.service.EventProtos;
import dev.longshore.daemon.service.EventPublisher;
import dev.longshore.daemon.service.EventsService;
import dev.longshore.daemon.service.GrpcServices;
import dev.longshore.daemon.service.ImagesService;
import dev.longshore.daemon.service.IntrospectionService;
import dev.longshore.daemon.service.IntrospectionService.ServerIdentity;
import dev.longshore.daemon.service.LeasesService;
import dev.longshore.daemon.service.NamespacesService;
import dev.longshore.daemon.service.PluginsService;
import dev.longshore.daemon.service.PublishingContentStore;
import dev.longshore.daemon.service.PublishingImages;
import dev.longshore.daemon.service.StreamingService;
import dev.longshore.daemon.service.TasksService;
import dev.longshore.daemon.service.TransferService;
import dev.longshore.daemon.service.VersionService;
import dev.longshore.daemon.transfer.TransferLeases;
import dev.longshore.daemon.transfer.TransferStores;
import dev.longshore.daemon.transfer.TransferStores.UnpackTarget;
import dev.longshore.daemon.transfer.Transfers;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.signal.EndSignal;
import dev.longshore.sdk.socket.SystemdNotifier;
import dev.longshore.transport.metrics.Metrics;
import dev.longshore.transport.serve.ContentService;
import dev.longshore.transport.serve.DiffService;
import dev.longshore.transport.serve.SnapshotsService;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How the daemon is put together, from bottom to top. */
final class Wiring implements AutoCloseable {

    /** Of containerd's API, as clients compare it, and of this daemon. */
    static final String VERSION = "2.3.0+longshore.0.1.0";

    /** For plugins without which the daemon is not to start, and which may be starting beside it. */
    private static final Duration REQUIRED_PATIENCE = Duration.ofSeconds(30);

    private static final Logger log = LoggerFactory.getLogger(Wiring.class);

    private final Config config;
    private final List<Path> imports;
    private final ConfigSource source;
    private final SystemdNotifier systemd;
    private final Closing closing = new Closing();

    /**
     * @param read what {@code source} says now
     * @param source to be read again
     */
    Wiring(ConfigReader.Result read, ConfigSource source, Map<String, String> environment) throws IOException {
        this.config = read.config();
        this.imports = read.read().imports();
        this.source = source;
        this.systemd = new SystemdNotifier(environment);
        try {
            wire(environment);
        } catch (IOException | RuntimeException e) {
            closing.close();
            throw e;
        }
    }

    private void wire(Map<String, String> environment) throws IOException {
        Clock clock = Clock.systemUTC();
        OomScore.set(config.oomScore());
        DaemonFolders folders = new DaemonFolders(config.root(), config.state());
        closing.add(folders.open());

        // Events: everything that follows publishes.
        EventExchange exchange = new EventExchange(clock, EventProtos::fields);
        EventPublisher events = new EventPublisher(exchange);

        Metrics metrics = closing.add(Metrics.open(config.metricsAddress()));

        // Backends: whatever the configuration names, and the built-in content store unless it names one.
        ProxyPlugins plugins = closing.add(new ProxyPlugins(clock, metrics.registry()));
        plugins.listen(change -> publish(events, change));
        enabledPlugins(ProxyPluginConfig.Type.CONTENT).forEach(plugins::add);
        ContentStore contentBackend = plugins.contentStore().isPresent()
                ? plugins.contentStore().get()
                : new LocalContentStore(localContent(folders), clock);

        // Metadata over the backends. Writes tell the garbage collector, which is made of them.
        GcTrigger gcTrigger = new GcTrigger();
        MetadataStore metadata = closing.add(MetadataStore.open(folders.metadata(), clock, gcTrigger));
        MetadataContentStore namespacedContent = metadata.content(contentBackend, config.contentSharing());
        MeteredContentStore content = new MeteredContentStore(namespacedContent);
        Snapshotters snapshotters = new Snapshotters(plugins, metadata, events);
        LostSnapshots lost = closing.add(new LostSnapshots(plugins, snapshotters));
        plugins.listen(lost::pluginChanged);
        enabledPlugins(ProxyPluginConfig.Type.SNAPSHOT, ProxyPluginConfig.Type.DIFF, ProxyPluginConfig.Type.SANDBOX)
                .forEach(plugins::add);

        // Garbage.
        GarbageCollector gc = closing.add(new GarbageCollector(
                config.gc(),
                () -> metadata.garbage()
                        .run()
                        .images()
                        .forEach(image -> events.imageRemoved(image.namespace(), image.name())),
                () -> Stream.concat(
                                Stream.of(new Backend("content", namespacedContent::removeGarbage)),
                                snapshotters.garbage(lost::lookAgain).stream())
                        .toList()));
        gcTrigger.set(gc);

        // Tasks: shims that run already are looked for while the daemon serves.
        TaskRuntime tasks = closing.add(new TaskRuntime(
                RuntimeSettings.of(config, folders, environment),
                (namespace, id) ->
                        RuntimeSettings.container(metadata.containers().get(namespace, id)),
                exchange::publish));
        var _ = tasks.loadBundles();

        // Differs, with the programs that turn other media types into theirs; and transfers, which unpack with them.
        StreamProcessors processors = streamProcessors(environment);
        Differs differs = new Differs(
                name -> plugins.applier(name)
                        .map(applier -> new ProcessingApplier(applier, content, metadata.leases(), processors, clock)),
                plugins::comparer,
                walking(content, folders, processors),
                config.differs());
        StreamingService streaming = new StreamingService();
        Transfers transfers = new Transfers(
                new TransferStores(
                        new PublishingContentStore(content, events),
                        plugins.contentStoreName().orElse("content"),
                        content,
                        new PublishingImages(metadata.images(), events),
                        differs::appliers,
                        differs::firstIfBuiltIn,
                        name -> new UnpackTarget(
                                snapshotters.served(name), snapshotters.rebases(name), snapshotters.annotates(name)),
                        new TransferLeases(metadata.leases(), clock)),
                config.transfer());

        // Services.
        EventsService eventsService = new EventsService(exchange, tasks::observe);
        PluginReload reload = new PluginReload(source, config, plugins, snapshotters, differs);
        PluginTable table = new PluginTable(plugins, config.disabledPlugins());
        GrpcServices services = new GrpcServices(metrics.registry(), config.disabledPlugins())
                .add("version", new VersionService(VERSION))
                .add("namespaces", new NamespacesService(metadata.namespaces(), events))
                .add("leases", new LeasesService(metadata.leases(), gc::collect))
                .add("content", new ContentService(new PublishingContentStore(content, events)))
                .add("images", new ImagesService(metadata.images(), events, gc::collect))
                .add("snapshots", new SnapshotsService(snapshotters::served))
                .add("diff", new DiffService(differs::appliers, differs::comparers, config.syncFs()))
                .add("containers", new ContainersService(metadata.containers(), events))
                .add("tasks", new TasksService(tasks, metadata.containers()))
                .add("events", eventsService)
                .add("streaming", streaming)
                .add("transfer", new TransferService(transfers, streaming))
                .add(
                        "introspection",
                        new IntrospectionService(
                                table::plugins,
                                new ServerIdentity(
                                        folders.readOrMakeUuid(),
                                        ProcessHandle.current().pid(),
                                        PidNamespace.inode()),
                                tasks::info))
                .add("plugins", new PluginsService(reload::reload));

        // What may change while the daemon runs.
        HangUp.handle(() -> reload.reloadAndLog("SIGHUP"));
        closing.add(new ConfigWatch(imports, reload::reloadAndLog));

        // Sockets, last: who can connect can use everything.
        closing.add(eventsService.listen(
                config.ttrpc().address(), config.ttrpc().uid(), config.ttrpc().gid()));
        table.require(config.requiredPlugins(), REQUIRED_PATIENCE);
        closing.add(services.listen(
                config.grpc().address(),
                config.grpc().uid(),
                config.grpc().gid(),
                config.messages().received(),
                config.messages().sent()));
        if (!config.disabledPlugins().contains("io.containerd.gc.v1.scheduler")) {
            gc.start();
        }
    }

    private List<ProxyPluginConfig> enabledPlugins(ProxyPluginConfig.Type... types) {
        return PluginReload.enabled(config, config.disabledPlugins()).values().stream()
                .filter(plugin -> List.of(types).contains(plugin.type()))
                .toList();
    }

    static void publish(EventPublisher events, PluginChange change) {
        ProxyPluginConfig plugin = change.plugin();
        events.pluginState(
                plugin.type().pluginType(),
                plugin.id(),
                plugin.address().toString(),
                word(change.now().state()),
                word(change.before().state()),
                change.now().problem().map(Throwable::getMessage).orElse(""),
                change.now().since());
    }

    private static String word(State state) {
        return state.name().toLowerCase(Locale.ROOT);
    }

    private Path localContent(DaemonFolders folders) {
        if (config.disabledPlugins().contains("io.containerd.content.v1.content")) {
            throw new FailedPreconditionException("the built-in content store is disabled, and no other is configured:"
                    + " add one of type content under [proxy_plugins]");
        }
        return folders.content();
    }

    /** Their programs are looked for in PATH, then beside the daemon's own. */
    private StreamProcessors streamProcessors(Map<String, String> environment) {
        List<Path> searched = new ArrayList<>(RuntimeSettings.path(environment.getOrDefault("PATH", "")));
        RuntimeSettings.bin().ifPresent(searched::add);
        return new StreamProcessors(config.streamProcessors().values(), searched);
    }

    private Optional<BuiltIn> walking(ContentStore content, DaemonFolders folders, StreamProcessors processors) {
        if (config.disabledPlugins().contains("io.containerd.differ.v1.walking")) {
            return Optional.empty();
        }
        return Optional.of(new BuiltIn(
                new WalkingApplier(content, folders.mounts(), processors),
                new WalkingComparer(content, folders.mounts())));
    }

    /** Says that the daemon is ready, and returns when the process is told to end. */
    void serveUntilTold(EndSignal end) throws InterruptedException {
        systemd.ready();
        log.atInfo()
                .addKeyValue("address", config.grpc().address())
                .addKeyValue("version", VERSION)
                .log("daemon serves");
        end.await();
        systemd.stopping();
    }

    @Override
    public void close() {
        closing.close();
        log.atInfo().log("daemon stopped");
    }
}
