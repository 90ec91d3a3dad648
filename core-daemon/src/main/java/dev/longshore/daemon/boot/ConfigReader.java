package dev.longshore.daemon.boot;

import dev.longshore.daemon.boot.Config.MessageLimits;
import dev.longshore.daemon.boot.Config.Socket;
import dev.longshore.daemon.diff.StreamProcessor;
import dev.longshore.daemon.gc.GcConfig;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.daemon.transfer.TransferConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigFile;
import dev.longshore.sdk.config.ConfigFile.Format;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.config.Section;
import dev.longshore.sdk.config.Section.Merge;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Nearest;
import dev.longshore.sdk.log.Logging;
import dev.longshore.transport.grpc.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Makes a {@link Config} of containerd's file, of version 2, 3 or 4, and of those that it imports.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/PLUGINS.md">configuration</a>
 */
final class ConfigReader {

    private static final String GC = "io.containerd.gc.v1.scheduler";
    private static final String METADATA = "io.containerd.metadata.v1.bolt";
    private static final String TRANSFER = "io.containerd.transfer.v1.local";
    private static final String DIFF = "io.containerd.service.v1.diff-service";

    /** What a name of a plugin may differ in to be taken for another's with typing errors: such names are much alike. */
    private static final int TYPOS = 2;

    private static final Set<Long> VERSIONS = Set.of(2L, 3L, 4L);

    /** The names of timeouts that we or containerd have. */
    private static final Set<String> TIMEOUTS = Set.of(
            "io.containerd.timeout.shim.load",
            "io.containerd.timeout.shim.start",
            "io.containerd.timeout.shim.cleanup",
            "io.containerd.timeout.shim.shutdown",
            "io.containerd.timeout.task.state",
            "io.containerd.timeout.bolt.open",
            "io.containerd.timeout.cri.defercleanup",
            "io.containerd.timeout.metrics.shimstats");

    private static final Format FORMAT = new Format(
            Map.of(
                    "plugins", Merge.REPLACE,
                    "proxy_plugins", Merge.REPLACE_TABLES,
                    "stream_processors", Merge.REPLACE_TABLES,
                    "timeouts", Merge.REPLACE_TABLES),
            Config.DEFAULT_IMPORTS,
            ConfigMigration::migrate);

    private final ConfigFile.Read read;
    private final Section file;
    private final Section plugins;
    private final Overrides overrides;
    private final List<ConfigProblem> problems;
    private final List<ConfigProblem> warnings = new ArrayList<>();

    /**
     * What the command line says, which wins over the file.
     *
     * @param strict makes an error of every warning; a file can do so too
     */
    record Overrides(
            Optional<String> address,
            Optional<String> root,
            Optional<String> state,
            Optional<String> logLevel,
            boolean strict) {

        static final Overrides NONE =
                new Overrides(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), false);
    }

    /**
     * A configuration that can be used.
     *
     * @param warnings what the file has that is of no effect
     * @param read the file as it was
     */
    record Result(Config config, List<ConfigProblem> warnings, ConfigFile.Read read) {}

    private ConfigReader(ConfigFile.Read read, Overrides overrides) {
        this.read = read;
        this.file = read.root();
        this.plugins = file.section("plugins");
        this.problems = read.problems();
        this.overrides = overrides;
    }

    /** The defaults, and what is imported by default, if there is no file and none was asked for. */
    static Result read(Optional<Path> file, Overrides overrides) throws ConfigException, IOException {
        if (file.isEmpty() && !Files.exists(Config.DEFAULT_FILE)) {
            Path folder = Config.DEFAULT_FILE.resolveSibling("");
            return new ConfigReader(ConfigFile.readImports(folder, FORMAT), overrides).result();
        }
        return new ConfigReader(ConfigFile.read(file.orElse(Config.DEFAULT_FILE), FORMAT), overrides).result();
    }

    static Result parse(String text, String name) throws ConfigException {
        return new ConfigReader(ConfigFile.parse(text, name, FORMAT), Overrides.NONE).result();
    }

    private Result result() throws ConfigException {
        Config config;
        try {
            config = config();
        } catch (InvalidArgumentException e) {
            problems.add(new ConfigProblem("configuration", String.valueOf(e.getMessage())));
            throw new ConfigException(problems);
        }
        foreignPlugins();
        warnings.addAll(file.unknown());
        warnings.addAll(read.replaced());
        if (config.strict()) {
            problems.addAll(warnings);
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return new Result(config, warnings, read);
    }

    private Config config() {
        file.strings("imports");
        file.integer("version")
                .filter(version -> !VERSIONS.contains(version))
                .ifPresent(version -> file.problem("version", "%d is not supported: use 2, 3 or 4".formatted(version)));
        ofNoEffect(file, "temp", "plugin_dir");
        // The daemon's own cgroup is systemd's business.
        ofNoEffect(file.section("cgroup"), "path");
        Path root = path(
                overrides.root().or(() -> file.string("root")).filter(text -> !text.isEmpty()), Config.DEFAULT_ROOT);
        Path state = path(
                overrides.state().or(() -> file.string("state")).filter(text -> !text.isEmpty()), Config.DEFAULT_STATE);
        Section grpc = plugins.section(ConfigMigration.GRPC);
        Optional<Path> configured = grpc.parsed("address", SocketPath::parse);
        Path address =
                overrides.address().map(SocketPath::parse).or(() -> configured).orElse(state.resolve("longshore.sock"));
        Section shims = plugins.section(ConfigMigration.SHIMS);
        Section debug = file.section("debug");
        otherServers(debug);
        List<String> disabled = disabled();
        List<ProxyPluginConfig> proxyPlugins =
                ProxyPluginReader.read(file.section("proxy_plugins"), state, enabledBuiltIn(disabled));
        return new Config(
                root,
                state,
                new Socket(address, owner(grpc, "uid"), owner(grpc, "gid")),
                messages(grpc),
                ttrpc(address),
                plugins.section(ConfigMigration.METRICS).string("address").filter(text -> !text.isEmpty()),
                logLevel(debug),
                logFormat(debug),
                file.bool("strict").orElse(false) || overrides.strict(),
                file.integer("oom_score", -1000, 1000).orElse(0),
                timeouts(),
                proxyPlugins,
                streamProcessors(),
                gc(plugins.section(GC)),
                sharing(plugins.section(METADATA)),
                shims.parsed("socket_dir", Path::of).orElse(Config.DEFAULT_SOCKET_DIR),
                shims.strings("env"),
                differs(plugins.section(DIFF), proxyPlugins),
                plugins.section(DIFF).bool("sync_fs").orElse(false),
                transfer(plugins.section(TRANSFER)),
                disabled,
                plugins("required_plugins"));
    }

    /** As in containerd, an empty {@code config_path} is the default. */
    private TransferConfig transfer(Section section) {
        TransferConfig defaults = TransferConfig.DEFAULT;
        String paths = section.string("config_path").orElse("");
        ofNoEffect(section, "unpack_config", "check_platform_supported");
        return new TransferConfig(
                section.integer("max_concurrent_downloads", 1, 100).orElse(defaults.maxConcurrentDownloads()),
                section.integer("concurrent_layer_fetch_buffer", 0, 64 << 20).orElse(defaults.layerFetchBuffer()),
                section.integer("max_concurrent_uploaded_layers", 1, 100).orElse(defaults.maxConcurrentUploads()),
                section.integer("max_concurrent_unpacks", 1, 100).orElse(defaults.maxConcurrentUnpacks()),
                paths.isEmpty()
                        ? defaults.configPath()
                        : Stream.of(paths.split(":", -1)).map(Path::of).toList(),
                defaults.unpackSnapshotter());
    }

    private List<String> disabled() {
        List<String> disabled = plugins("disabled_plugins");
        for (String uri : disabled) {
            boolean builtIn = PluginTable.builtIn().contains(uri);
            if (builtIn && !PluginTable.isOptional(uri)) {
                file.problem("disabled_plugins", "names %s, which the daemon cannot do without".formatted(uri));
            } else if (!builtIn) {
                Nearest.of(uri, PluginTable.builtIn(), TYPOS)
                        .ifPresent(near -> warnings.add(new ConfigProblem(
                                file.place("disabled_plugins"),
                                "there is no plugin %s to disable: did you mean %s?".formatted(uri, near))));
            }
        }
        return disabled;
    }

    private static Path path(Optional<String> text, Path otherwise) {
        return text.map(Path::of).orElse(otherwise);
    }

    private static int owner(Section section, String key) {
        return section.integer(key, 0, Integer.MAX_VALUE).orElse(0);
    }

    private static MessageLimits messages(Section grpc) {
        return new MessageLimits(
                limit(grpc, "max_recv_message_size", MessageLimits.DEFAULT.received()),
                limit(grpc, "max_send_message_size", MessageLimits.DEFAULT.sent()));
    }

    /** 0 stands for the default, as it does in containerd's files. */
    private static int limit(Section section, String key, int otherwise) {
        return section.integer(key, 0, Integer.MAX_VALUE)
                .filter(size -> size > 0)
                .orElse(otherwise);
    }

    /** Beside the gRPC socket, and its owner's, unless it is configured. */
    private Socket ttrpc(Path grpcAddress) {
        Section ttrpc = plugins.section(ConfigMigration.TTRPC);
        return new Socket(
                ttrpc.parsed("address", SocketPath::parse).orElse(Path.of(grpcAddress + ".ttrpc")),
                owner(ttrpc, "uid"),
                owner(ttrpc, "gid"));
    }

    /** What containerd can listen on beside its sockets. */
    private void otherServers(Section debug) {
        for (String id : List.of(ConfigMigration.DEBUG, ConfigMigration.GRPC_TCP)) {
            Section server = plugins.section(id);
            ofNoEffect(server, "address");
            server.accept();
        }
        ofNoEffect(plugins.section(ConfigMigration.GRPC_METRICS), "grpc_histogram");
        ofNoEffect(debug, "log_trace_id");
        debug.integer("uid");
        debug.integer("gid");
        // What a container may be for is the shim's to say.
        plugins.section(ConfigMigration.TASKS).strings("platforms");
        file.section("grpc").accept();
        file.section("ttrpc").accept();
        file.section("metrics").accept();
    }

    private String logLevel(Section debug) {
        Optional<String> level =
                overrides.logLevel().or(() -> debug.string("level")).filter(text -> !text.isEmpty());
        if (level.isPresent() && !Logging.LEVELS.contains(level.get())) {
            debug.problem("level", "\"%s\" is none of %s".formatted(level.get(), Logging.LEVELS));
        }
        return level.orElse("info");
    }

    private static String logFormat(Section debug) {
        Optional<String> format = debug.string("format").filter(text -> !text.isEmpty());
        if (format.isPresent() && !Config.LOG_FORMATS.contains(format.get())) {
            debug.problem("format", "\"%s\" is neither text nor json".formatted(format.get()));
        }
        return format.orElse("text");
    }

    private Map<String, Duration> timeouts() {
        Section section = file.section("timeouts");
        Map<String, Duration> timeouts = new LinkedHashMap<>();
        section.allStrings().keySet().forEach(key -> {
            section.duration(key).ifPresent(value -> timeouts.put(key, value));
            if (!TIMEOUTS.contains(key)) {
                warnings.add(new ConfigProblem(
                        section.place(key),
                        "timeouts.\"%s\" is unknown%s"
                                .formatted(
                                        key,
                                        Nearest.of(key, TIMEOUTS)
                                                .map(near -> ": did you mean " + near + "?")
                                                .orElse(""))));
            }
        });
        return timeouts;
    }

    /** Names of plugins: type and id. */
    private List<String> plugins(String key) {
        List<String> uris = file.strings(key);
        uris.stream()
                .filter(uri -> !uri.contains("."))
                .forEach(uri -> file.problem(
                        key, "\"%s\" is no plugin: write its type and id, io.containerd.x.v1.id".formatted(uri)));
        return uris;
    }

    private Map<String, StreamProcessor> streamProcessors() {
        Map<String, StreamProcessor> processors = new LinkedHashMap<>();
        Config.DECODERS.forEach(decoder -> processors.put(decoder.id(), decoder));
        file.section("stream_processors").sections().forEach((id, section) -> {
            // One that a file has is registered where the file has it, which is behind those that are there by default.
            processors.remove(id);
            processors.put(
                    id,
                    new StreamProcessor(
                            id,
                            section.strings("accepts"),
                            section.string("returns").orElse(""),
                            section.string("path").orElse(""),
                            section.strings("args"),
                            section.strings("env")));
            if (section.strings("accepts").isEmpty()
                    || section.string("returns").orElse("").isEmpty()
                    || section.string("path").orElse("").isEmpty()) {
                warnings.add(new ConfigProblem(
                        section.place("accepts"),
                        "stream processor \"%s\" cannot be used: it needs accepts, returns and path".formatted(id)));
            }
        });
        return processors;
    }

    private static GcConfig gc(Section section) {
        return new GcConfig(
                section.number("pause_threshold").orElse(GcConfig.DEFAULT.pauseThreshold()),
                section.integer("deletion_threshold", 0, Integer.MAX_VALUE)
                        .orElse(GcConfig.DEFAULT.deletionThreshold()),
                section.integer("mutation_threshold", 0, Integer.MAX_VALUE)
                        .orElse(GcConfig.DEFAULT.mutationThreshold()),
                section.duration("schedule_delay").orElse(GcConfig.DEFAULT.scheduleDelay()),
                section.duration("startup_delay").orElse(GcConfig.DEFAULT.startupDelay()));
    }

    private SharingPolicy sharing(Section section) {
        ofNoEffect(section, "no_sync");
        return section.parsed("content_sharing_policy", text -> switch (text) {
                    case "shared" -> SharingPolicy.SHARED;
                    case "isolated" -> SharingPolicy.ISOLATED;
                    default -> throw new InvalidArgumentException("\"%s\" must be shared or isolated".formatted(text));
                })
                .orElse(SharingPolicy.SHARED);
    }

    private static List<String> differs(Section section, List<ProxyPluginConfig> proxyPlugins) {
        List<String> differs = section.strings("default");
        for (String differ : differs) {
            boolean known = differ.equals(Config.WALKING)
                    || proxyPlugins.stream()
                            .anyMatch(plugin -> plugin.type() == ProxyPluginConfig.Type.DIFF
                                    && plugin.id().equals(differ));
            if (!known) {
                section.problem(
                        "default",
                        "names the differ %s, which is neither %s nor a proxy plugin of type diff"
                                .formatted(differ, Config.WALKING));
            }
        }
        return differs.isEmpty() ? List.of(Config.WALKING) : differs;
    }

    /** What a proxy plugin must not take the name of. */
    private static Set<String> enabledBuiltIn(List<String> disabled) {
        Set<String> enabled = new HashSet<>(PluginTable.builtIn());
        enabled.removeAll(disabled);
        return enabled;
    }

    /** Warns of what the file says for containerd, that is nothing to this daemon. */
    private void ofNoEffect(Section section, String... keys) {
        for (String key : keys) {
            section.read(key);
            if (section.says(key)) {
                warnings.add(new ConfigProblem(section.place(key), section.name(key) + " is of no effect here"));
            }
        }
    }

    /** Tables of plugins that containerd has compiled in, and this daemon has not. */
    private void foreignPlugins() {
        // All of them before any is taken as known, or one would be taken for another with typing errors.
        List<String> foreign = plugins.unread().stream()
                .filter(id -> id.startsWith("io.containerd."))
                .filter(id -> plugins.nearest(id, TYPOS).isEmpty())
                .toList();
        for (String id : foreign) {
            plugins.read(id);
            if (plugins.says(id)) {
                warnings.add(new ConfigProblem(
                        plugins.place(id), "there is no plugin %s here: its table is of no effect".formatted(id)));
            }
        }
    }
}
