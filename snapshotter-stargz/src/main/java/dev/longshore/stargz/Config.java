package dev.longshore.stargz;

import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigFile;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.config.Section;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.sdk.log.Logging;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.stargz.layer.LayerSettings;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the command line and the file that it names say. The file's words are those of stargz-snapshotter where that has the same thing.
 *
 * @param serve where and for whom
 * @param root absolute, where snapshots and layers are kept
 * @param prefetchTimeout how long the first user of a layer waits for what the layer says is needed first
 * @param cacheSize bytes of layers that are kept
 * @param erofs whether complete layers get EROFS images, where the kernel can mount them
 * @param mountOptions of each overlay mount
 * @param contents stores that are asked for layers before registries, in this order
 * @param problems keys of the file that are not known
 */
record Config(
        ServeOptions serve,
        Path root,
        LayerSettings layers,
        Duration prefetchTimeout,
        long cacheSize,
        boolean erofs,
        List<String> mountOptions,
        Registries registries,
        List<Content> contents,
        List<ConfigProblem> problems,
        String logLevel) {

    static final long DEFAULT_CACHE_SIZE = 20L << 30;
    static final LayerSettings DEFAULT_LAYERS =
            new LayerSettings(false, Duration.ofSeconds(30), Duration.ofSeconds(60), true, 0, true);

    private static final int MOST_SECONDS = 24 * 60 * 60;

    /**
     * How registries are found and spoken to.
     *
     * @param configPath folders with {@code hosts.toml} files
     * @param plainHttp whether registries that none of them says anything about are spoken to without TLS
     * @param dockerConfig folder of Docker's {@code config.json}; empty for that of this user
     */
    record Registries(List<Path> configPath, boolean plainHttp, Optional<Path> dockerConfig) {

        static final Registries DEFAULT = new Registries(
                List.of(Path.of("/etc/containerd/certs.d"), Path.of("/etc/docker/certs.d")), false, Optional.empty());

        Registries {
            configPath = List.copyOf(configPath);
        }
    }

    /**
     * A content store that may have layers: a content plugin, or a daemon.
     *
     * @param name of the table in the file
     * @param address absolute path of its socket
     * @param namespace in which it is asked; a daemon needs one, a plugin none
     * @param timeout for each read
     */
    record Content(String name, Path address, Optional<NamespaceId> namespace, Duration timeout) {

        static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(10);

        Content {
            if (!address.isAbsolute()) {
                throw new InvalidArgumentException(
                        "content.%s.address %s: must be the absolute path of a socket".formatted(name, address));
            }
        }
    }

    Config {
        contents = List.copyOf(contents);
        mountOptions = List.copyOf(mountOptions);
        problems = List.copyOf(problems);
        if (root.toString().matches(".*[:,\\\\].*")) {
            throw new InvalidArgumentException(
                    "--root %s: overlayfs' options give a meaning to ':', ',' and '\\', choose a folder without them"
                            .formatted(root));
        }
        if (!Logging.LEVELS.contains(logLevel)) {
            throw new InvalidArgumentException("--log-level %s: must be one of %s".formatted(logLevel, Logging.LEVELS));
        }
    }

    static Flags flags() {
        return ServeOptions.flags(
                        new Flags("longshore-snapshotter-stargz --address SOCKET --root DIR [--config FILE] [flags]"))
                .option("root", "DIR", "where snapshots and layers are kept")
                .option("config", "FILE", "TOML; default: /etc/longshore/stargz.toml if that is there")
                .option("rehearse", "", "first mount and read a layer of its own making, for longshore-aot")
                .option("log-level", "LEVEL", "trace, debug, info, warn or error; default info");
    }

    /**
     * Reads the command line and the file.
     *
     * @param defaultFile read if none is named and it is there
     * @throws UsageException if a flag is missing
     * @throws InvalidArgumentException if a value is not one
     */
    static Config of(Parsed flags, Path defaultFile) throws UsageException, IOException {
        if (!flags.arguments().isEmpty()) {
            throw new InvalidArgumentException(
                    "unexpected argument " + flags.arguments().getFirst());
        }
        Optional<Path> named = flags.value("config").map(Path::of);
        ConfigFile.Read read;
        try {
            read = named.isPresent() || defaultFile.toFile().exists()
                    ? ConfigFile.read(named.orElse(defaultFile), ConfigFile.Format.PLAIN)
                    : ConfigFile.parse("", "no file", ConfigFile.Format.PLAIN);
        } catch (ConfigException e) {
            throw new InvalidArgumentException(String.valueOf(e.getMessage()), e);
        }
        return of(
                ServeOptions.of(flags),
                Path.of(flags.require("root")).toAbsolutePath().normalize(),
                read,
                flags.value("log-level").orElse("info"));
    }

    private static Config of(ServeOptions serve, Path root, ConfigFile.Read read, String logLevel) {
        Section file = read.root();
        LayerSettings layers = new LayerSettings(
                file.bool("allow_no_verification").orElse(DEFAULT_LAYERS.allowNoVerification()),
                seconds(file, "resolve_timeout_sec").orElse(DEFAULT_LAYERS.resolveTimeout()),
                seconds(file.section("blob"), "fetching_timeout_sec").orElse(DEFAULT_LAYERS.fetchTimeout()),
                !file.bool("noprefetch").orElse(!DEFAULT_LAYERS.prefetch()),
                bytes(file, "prefetch_size").orElse(DEFAULT_LAYERS.prefetchSize()),
                !file.bool("no_background_fetch").orElse(!DEFAULT_LAYERS.background()));
        Duration prefetchTimeout = seconds(file, "prefetch_timeout_sec").orElse(Duration.ofSeconds(10));
        long cacheSize = bytes(file, "cache_size").orElse(DEFAULT_CACHE_SIZE);
        boolean erofs = !file.bool("no_erofs").orElse(false);
        List<String> mountOptions = file.section("snapshotter").strings("mount_options");
        Section registry = file.section("registry");
        List<Path> folders =
                registry.strings("config_path").stream().map(Path::of).toList();
        Registries registries = new Registries(
                folders.isEmpty() ? Registries.DEFAULT.configPath() : folders,
                registry.bool("plain_http").orElse(false),
                registry.string("docker_config").filter(path -> !path.isEmpty()).map(Path::of));
        List<Content> contents = new ArrayList<>();
        file.section("content")
                .sections()
                .forEach((name, content) -> contents.add(new Content(
                        name,
                        content.string("address").map(Path::of).orElse(Path.of("")),
                        content.parsed("namespace", NamespaceId::new),
                        seconds(content, "timeout_sec").orElse(Content.DEFAULT_TIMEOUT))));
        List<ConfigProblem> unknown = file.unknown();
        if (!read.problems().isEmpty()) {
            throw new InvalidArgumentException(read.problems().getFirst().toString());
        }
        return new Config(
                serve,
                root,
                layers,
                prefetchTimeout,
                cacheSize,
                erofs,
                mountOptions,
                registries,
                contents,
                unknown,
                logLevel);
    }

    private static Optional<Duration> seconds(Section section, String key) {
        return section.integer(key, 1, MOST_SECONDS).map(Duration::ofSeconds);
    }

    private static Optional<Long> bytes(Section section, String key) {
        Optional<Long> bytes = section.integer(key);
        if (bytes.isPresent() && bytes.get() < 0) {
            section.problem(key, "must be a number of bytes");
        }
        return bytes;
    }
}
