package dev.longshore.daemon.boot;

import dev.longshore.daemon.gc.GcConfig;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Everything that the daemon can be told.
 *
 * @param root what must survive a restart of the machine
 * @param state what need not: sockets, bundles
 * @param metricsAddress {@code host:port} for {@code /v1/metrics}; empty for none
 * @param oomScore for the daemon itself; 0 leaves it as it is
 * @param timeouts by containerd's names, as they were written
 * @param socketDir where shims make their sockets
 * @param shimEnvironment {@code KEY=value} added to the environment of shims
 * @param syncFs whether every layer is flushed to the disk before its Apply is answered
 */
public record Config(
        Path root,
        Path state,
        Socket grpc,
        Path ttrpcAddress,
        Optional<String> metricsAddress,
        String logLevel,
        int oomScore,
        Map<String, Duration> timeouts,
        List<ProxyPluginConfig> proxyPlugins,
        Map<String, StreamProcessor> streamProcessors,
        GcConfig gc,
        SharingPolicy contentSharing,
        Path socketDir,
        List<String> shimEnvironment,
        boolean syncFs,
        List<String> disabledPlugins,
        List<String> requiredPlugins) {

    public static final Path DEFAULT_FILE = Path.of("/etc/longshore/config.toml");
    static final Path DEFAULT_ROOT = Path.of("/var/lib/longshore");
    static final Path DEFAULT_STATE = Path.of("/run/longshore");

    /** Not below the state, whose path may be too long for a socket with a hash for its name. */
    static final Path DEFAULT_SOCKET_DIR = Path.of("/run/longshore/s");

    /**
     * The daemon's own socket, of mode 0660.
     *
     * @param uid its owner
     * @param gid its group, whose members may use the daemon
     */
    public record Socket(Path address, int uid, int gid) {}

    /** A program that turns one media type into another. */
    public record StreamProcessor(
            String id, List<String> accepts, String returns, String path, List<String> args, List<String> env) {

        public StreamProcessor {
            accepts = List.copyOf(accepts);
            args = List.copyOf(args);
            env = List.copyOf(env);
        }
    }

    public Config {
        timeouts = Map.copyOf(timeouts);
        proxyPlugins = List.copyOf(proxyPlugins);
        shimEnvironment = List.copyOf(shimEnvironment);
        disabledPlugins = List.copyOf(disabledPlugins);
        requiredPlugins = List.copyOf(requiredPlugins);
        if (!root.isAbsolute() || !state.isAbsolute()) {
            throw new InvalidArgumentException("root \"%s\" and state \"%s\" must be absolute".formatted(root, state));
        }
        if (root.equals(state)) {
            throw new InvalidArgumentException("root and state must be different folders, both are %s".formatted(root));
        }
    }
}
