package dev.longshore.daemon.boot;

import dev.longshore.daemon.boot.Config.Socket;
import dev.longshore.daemon.boot.Config.StreamProcessor;
import dev.longshore.daemon.gc.GcConfig;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigFile;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.config.Section;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.log.Logging;
import dev.longshore.transport.grpc.SocketPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Makes a {@link Config} of containerd's file, of version 2, 3 or 4. Where a version has a setting in its own place, the
 * newest place that is set wins.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/PLUGINS.md">configuration</a>
 */
final class ConfigReader {

    private static final String GRPC_SERVER = "io.containerd.server.v1.grpc";
    private static final String TTRPC_SERVER = "io.containerd.server.v1.ttrpc";
    private static final String METRICS_SERVER = "io.containerd.server.v1.metrics";
    private static final String GC = "io.containerd.gc.v1.scheduler";
    private static final String METADATA = "io.containerd.metadata.v1.bolt";
    private static final String SHIMS = "io.containerd.shim.v1.manager";
    private static final String DIFF = "io.containerd.service.v1.diff-service";

    private static final Set<Long> VERSIONS = Set.of(2L, 3L, 4L);

    private final Section file;
    private final Overrides overrides;
    private final List<ConfigProblem> problems;

    /** What the command line says, which wins over the file. */
    record Overrides(
            Optional<String> address, Optional<String> root, Optional<String> state, Optional<String> logLevel) {

        static final Overrides NONE =
                new Overrides(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
    }

    /** @param warnings what the file has that is of no effect */
    record Result(Config config, List<ConfigProblem> warnings) {}

    private ConfigReader(ConfigFile.Read file, Overrides overrides) {
        this.file = file.root();
        this.problems = file.problems();
        this.overrides = overrides;
    }

    /** The defaults, if there is no file and none was asked for. */
    static Result read(Optional<Path> file, Overrides overrides) throws ConfigException, IOException {
        if (file.isEmpty() && !Files.exists(Config.DEFAULT_FILE)) {
            List<ConfigProblem> none = new ArrayList<>();
            return new ConfigReader(new ConfigFile.Read(Section.empty(none), none), overrides).result();
        }
        return new ConfigReader(ConfigFile.read(file.orElse(Config.DEFAULT_FILE)), overrides).result();
    }

    static Result parse(String text, String name) throws ConfigException {
        return new ConfigReader(ConfigFile.parse(text, name), Overrides.NONE).result();
    }

    private Result result() throws ConfigException {
        Config config;
        try {
            config = config();
        } catch (InvalidArgumentException e) {
            problems.add(new ConfigProblem("configuration", String.valueOf(e.getMessage())));
            throw new ConfigException(problems);
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return new Result(config, file.unknown());
    }

    private Config config() {
        file.strings("imports");
        file.integer("version")
                .filter(version -> !VERSIONS.contains(version))
                .ifPresent(version -> file.problem("version", "%d is not supported: use 2, 3 or 4".formatted(version)));
        // Kept for containerd: cgroups of the daemon are systemd's business here.
        file.section("cgroup").accept();
        Section plugins = file.section("plugins");
        Section grpc = file.section("grpc");
        Section debug = file.section("debug");
        Section grpcServer = plugins.section(GRPC_SERVER);
        grpc.accept();
        debug.accept();
        Path root = path(
                overrides.root().or(() -> file.string("root")).filter(text -> !text.isEmpty()), Config.DEFAULT_ROOT);
        Path state = path(
                overrides.state().or(() -> file.string("state")).filter(text -> !text.isEmpty()), Config.DEFAULT_STATE);
        Path address = overrides
                .address()
                .map(SocketPath::parse)
                .or(() -> grpcServer.parsed("address", SocketPath::parse))
                .or(() -> grpc.parsed("address", SocketPath::parse))
                .orElse(state.resolve("longshore.sock"));
        Socket socket = new Socket(address, owner(grpcServer, grpc, "uid"), owner(grpcServer, grpc, "gid"));
        Path ttrpc = plugins.section(TTRPC_SERVER)
                .parsed("address", SocketPath::parse)
                .or(() -> file.section("ttrpc").parsed("address", SocketPath::parse))
                .orElse(Path.of(address + ".ttrpc"));
        file.section("ttrpc").accept();
        Optional<String> metrics = plugins.section(METRICS_SERVER)
                .string("address")
                .or(() -> file.section("metrics").string("address"))
                .filter(text -> !text.isEmpty());
        file.section("metrics").accept();
        Section shims = plugins.section(SHIMS);
        return new Config(
                root,
                state,
                socket,
                ttrpc,
                metrics,
                logLevel(debug),
                file.integer("oom_score", -1000, 1000).orElse(0),
                timeouts(),
                proxyPlugins(state),
                streamProcessors(),
                gc(plugins.section(GC)),
                sharing(plugins.section(METADATA)),
                shims.parsed("socket_dir", Path::of).orElse(Config.DEFAULT_SOCKET_DIR),
                shims.strings("env"),
                diff(plugins.section(DIFF)),
                file.strings("disabled_plugins"),
                file.strings("required_plugins"));
    }

    private static Path path(Optional<String> text, Path otherwise) {
        return text.map(Path::of).orElse(otherwise);
    }

    private static int owner(Section newest, Section legacy, String key) {
        return newest.integer(key, 0, Integer.MAX_VALUE)
                .or(() -> legacy.integer(key, 0, Integer.MAX_VALUE))
                .orElse(0);
    }

    private String logLevel(Section debug) {
        Optional<String> level =
                overrides.logLevel().or(() -> debug.string("level")).filter(text -> !text.isEmpty());
        if (level.isPresent() && !Logging.LEVELS.contains(level.get())) {
            debug.problem("level", "\"%s\" is none of %s".formatted(level.get(), Logging.LEVELS));
        }
        return level.orElse("info");
    }

    private Map<String, Duration> timeouts() {
        Section section = file.section("timeouts");
        Map<String, Duration> timeouts = new LinkedHashMap<>();
        section.allStrings()
                .keySet()
                .forEach(key -> section.duration(key).ifPresent(value -> timeouts.put(key, value)));
        return timeouts;
    }

    private List<ProxyPluginConfig> proxyPlugins(Path state) {
        Map<String, Section> sections = file.section("proxy_plugins").sections();
        if (sections.isEmpty()) {
            return List.of(new ProxyPluginConfig(
                    "overlayfs",
                    ProxyPluginConfig.Type.SNAPSHOT,
                    state.resolve("overlay.sock"),
                    "",
                    Map.of(),
                    List.of("rebase"),
                    ProxyPluginConfig.DEFAULT_TIMEOUT));
        }
        List<ProxyPluginConfig> plugins = new ArrayList<>();
        sections.forEach((id, section) -> proxyPlugin(id, section).ifPresent(plugins::add));
        return plugins;
    }

    private static Optional<ProxyPluginConfig> proxyPlugin(String id, Section section) {
        Optional<ProxyPluginConfig.Type> type = section.parsed("type", ProxyPluginConfig.Type::parse);
        Optional<Path> address = section.parsed("address", SocketPath::parse);
        if (type.isEmpty() && section.string("type").isEmpty()) {
            section.problem("type", "is required: snapshot, content, diff or sandbox");
        }
        if (address.isEmpty() && section.string("address").isEmpty()) {
            section.problem("address", "is required: the path of the plugin's socket");
        }
        String platform = section.string("platform").orElse("");
        Map<String, String> exports = section.section("exports").allStrings();
        List<String> capabilities = section.strings("capabilities");
        Optional<Duration> timeout = section.duration("timeout");
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
                timeout.orElseGet(type.get()::defaultTimeout)));
    }

    private Map<String, StreamProcessor> streamProcessors() {
        Map<String, StreamProcessor> processors = new LinkedHashMap<>();
        file.section("stream_processors")
                .sections()
                .forEach((id, section) -> processors.put(
                        id,
                        new StreamProcessor(
                                id,
                                section.strings("accepts"),
                                section.string("returns").orElse(""),
                                section.string("path").orElse(""),
                                section.strings("args"),
                                section.strings("env"))));
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

    private static SharingPolicy sharing(Section section) {
        // Of no effect here: every write is synced.
        section.bool("no_sync");
        return section.parsed("content_sharing_policy", text -> switch (text) {
                    case "shared" -> SharingPolicy.SHARED;
                    case "isolated" -> SharingPolicy.ISOLATED;
                    default -> throw new InvalidArgumentException("\"%s\" must be shared or isolated".formatted(text));
                })
                .orElse(SharingPolicy.SHARED);
    }

    private static boolean diff(Section section) {
        section.strings("default");
        return section.bool("sync_fs").orElse(false);
    }
}
