package dev.longshore.daemon.boot;

import dev.longshore.daemon.diff.StreamProcessor;
import dev.longshore.daemon.gc.GcConfig;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.daemon.transfer.TransferConfig;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.MediaTypes;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Everything that the daemon can be told.
 *
 * @param root what must survive a restart of the machine
 * @param state what need not: sockets, bundles
 * @param metricsAddress {@code host:port} for {@code /v1/metrics}; empty for none
 * @param strict whether what is unknown or of no effect in the file is an error
 * @param oomScore for the daemon itself; 0 leaves it as it is
 * @param timeouts by containerd's names, as they were written
 * @param socketDir where shims make their sockets
 * @param shimEnvironment {@code KEY=value} added to the environment of shims
 * @param streamProcessors by id, in the order of their registration
 * @param differs the names of appliers and comparers, in the order in which they are tried
 * @param syncFs whether every layer is flushed to the disk before its Apply is answered
 * @param disabledPlugins by type and id, e.g. {@code io.containerd.grpc.v1.tasks}
 * @param requiredPlugins without which the daemon does not start
 */
public record Config(
        Path root,
        Path state,
        Socket grpc,
        MessageLimits messages,
        Socket ttrpc,
        Optional<String> metricsAddress,
        String logLevel,
        String logFormat,
        boolean strict,
        int oomScore,
        Map<String, Duration> timeouts,
        List<ProxyPluginConfig> proxyPlugins,
        Map<String, StreamProcessor> streamProcessors,
        GcConfig gc,
        SharingPolicy contentSharing,
        Path socketDir,
        List<String> shimEnvironment,
        List<String> differs,
        boolean syncFs,
        TransferConfig transfer,
        List<String> disabledPlugins,
        List<String> requiredPlugins) {

    public static final Path DEFAULT_FILE = Path.of("/etc/longshore/config.toml");
    static final Path DEFAULT_ROOT = Path.of("/var/lib/longshore");
    static final Path DEFAULT_STATE = Path.of("/run/longshore");

    /** Not below the state, whose path may be too long for a socket with a hash for its name. */
    static final Path DEFAULT_SOCKET_DIR = Path.of("/run/longshore/s");

    /** What a file that does not say so imports. */
    static final List<String> DEFAULT_IMPORTS = List.of("conf.d/*.toml");

    /** How lines of the log can look. */
    static final Set<String> LOG_FORMATS = Set.of("text", "json");

    /** Where {@link #DECODERS} look for keys, and for what tells them of key providers. */
    private static final Path OCICRYPT = DEFAULT_FILE.resolveSibling("ocicrypt");

    /** For encrypted layers, as in containerd, whose own list lacks zstd: there unless a file has others of their ids. */
    static final List<StreamProcessor> DECODERS = List.of(
            decoder("io.containerd.ocicrypt.decoder.v1.tar.zstd", "+zstd"),
            decoder("io.containerd.ocicrypt.decoder.v1.tar.gzip", "+gzip"),
            decoder("io.containerd.ocicrypt.decoder.v1.tar", ""));

    /** The differ of the daemon itself. */
    static final String WALKING = "walking";

    /**
     * A socket of the daemon's.
     *
     * @param uid its owner
     * @param gid its group
     */
    public record Socket(Path address, int uid, int gid) {}

    /** Bytes of one message that the daemon takes, and that it answers. */
    public record MessageLimits(int received, int sent) {

        static final MessageLimits DEFAULT = new MessageLimits(16 << 20, 16 << 20);
    }

    private static StreamProcessor decoder(String id, String compression) {
        String returns = MediaTypes.OCI_LAYER + compression;
        return new StreamProcessor(
                id,
                List.of(returns + "+encrypted"),
                returns,
                "ctd-decoder",
                List.of("--decryption-keys-path", OCICRYPT.resolve("keys").toString()),
                List.of("OCICRYPT_KEYPROVIDER_CONFIG=" + OCICRYPT.resolve("ocicrypt_keyprovider.conf")));
    }

    public Config {
        timeouts = Map.copyOf(timeouts);
        streamProcessors = Collections.unmodifiableMap(new LinkedHashMap<>(streamProcessors));
        proxyPlugins = List.copyOf(proxyPlugins);
        shimEnvironment = List.copyOf(shimEnvironment);
        differs = List.copyOf(differs);
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
