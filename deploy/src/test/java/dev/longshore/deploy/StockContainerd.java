package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A containerd that others wrote, under a folder of its own: a peer of the suite, or the user of parts of it. */
final class StockContainerd implements AutoCloseable {

    /** The name under which our snapshotter is known to it. */
    static final String OVERLAY = "longshore-overlay";

    private final Path root;
    private final Path address;
    private final String program;
    private final List<Path> path;
    private final List<String> prefix;
    private final boolean withOverlay;
    private String more = "";
    private String disabled = "";
    private @Nullable Process overlay;
    private @Nullable Process daemon;

    /**
     * Starts nothing yet.
     *
     * @param program is {@code containerd}, or a path
     * @param path folders to be looked into before those of PATH, for the shim
     * @param prefix what the daemon is to be run by, as {@code unshare}; may be empty
     * @param withOverlay whether our overlay snapshotter is to be a proxy plugin of it
     */
    StockContainerd(
            Path root, Path address, String program, List<Path> path, List<String> prefix, boolean withOverlay) {
        this.root = root;
        this.address = address;
        this.program = program;
        this.path = List.copyOf(path);
        this.prefix = List.copyOf(prefix);
        this.withOverlay = withOverlay;
    }

    /** Adds tables to its configuration, before it is started. */
    void configure(String tables) {
        more += tables;
    }

    /** Disables a plugin of its own, before it is started. */
    void disable(String plugin) {
        disabled += ", \"%s\"".formatted(plugin);
    }

    /** Starts what does not run. */
    void start() {
        try {
            Files.createDirectories(address.getParent());
            if (withOverlay && overlay == null) {
                overlay = launch(
                        List.of(
                                Suite.distribution()
                                        .resolve("bin/longshore-snapshotter-overlay")
                                        .toString(),
                                "--address",
                                overlaySocket().toString(),
                                "--root",
                                root.resolve("overlay").toString()),
                        "overlay.log");
                await().atMost(Programs.PATIENCE).until(() -> Files.exists(overlaySocket()));
            }
            Files.writeString(root.resolve("containerd.toml"), config());
            List<String> command = new ArrayList<>(prefix);
            command.addAll(
                    List.of(program, "--config", root.resolve("containerd.toml").toString()));
            daemon = launch(command, "containerd.log");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path overlaySocket() {
        return root.resolve("overlay.sock");
    }

    private String config() {
        String config = """
                version = 2
                root = "%1$s/lib"
                state = "%1$s/state"
                disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"%3$s]
                [grpc]
                address = "%2$s"
                """.formatted(root, address, disabled);
        if (withOverlay) {
            config += """
                    [proxy_plugins.%s]
                    type = "snapshot"
                    address = "%s"
                    """.formatted(OVERLAY, overlaySocket());
        }
        return config + more;
    }

    private Process launch(List<String> command, String log) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(
                        ProcessBuilder.Redirect.appendTo(root.resolve(log).toFile()));
        String before = String.join(":", path.stream().map(Path::toString).toList());
        if (!before.isEmpty()) {
            builder.environment().merge("PATH", before, (inherited, ours) -> ours + ":" + inherited);
        }
        return builder.start();
    }

    long pid() {
        return running().pid();
    }

    private Process running() {
        return Objects.requireNonNull(daemon, "containerd was not started");
    }

    /** Kills the daemon, not its shims and not our snapshotter, and returns when it is gone. */
    void kill() {
        running().destroyForcibly();
        running().onExit().join();
    }

    @Override
    public void close() {
        for (Process process : new @Nullable Process[] {daemon, overlay}) {
            if (process != null) {
                process.destroy();
                process.onExit().join();
            }
        }
    }
}
