package dev.longshore.shim;

import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the shim is told.
 *
 * @param action {@code delete}, {@code info}, or empty to serve
 * @param launcher the program that has started this one
 * @param socket that the process inherited as standard input; set where it serves
 * @param ttrpcAddress where events go; empty for nowhere
 * @param idle how long the process stays when its last container is gone
 */
record Config(
        String action,
        String namespace,
        String id,
        Path bundle,
        Path launcher,
        Optional<Path> socket,
        String ttrpcAddress,
        Duration idle) {

    /** Of runc's state, as containerd has it; the namespace follows. */
    static final String RUNC_ROOT = "/run/containerd/runc";

    private static final Duration DEFAULT_IDLE = Duration.ofMinutes(5);

    static Config parse(List<String> commandLine, Map<String, String> environment) throws UsageException {
        Flags flags = new Flags("containerd-shim-runc-v2 [flags] start|delete")
                .option("namespace", "NAME", "of the container")
                .option("address", "SOCKET", "of the daemon")
                .option("publish-binary", "PATH", "of the daemon, not used")
                .option("id", "ID", "of the container")
                .option("bundle", "DIR", "of the container")
                .option("launcher", "PATH", "of the program that starts this one")
                .option("socket", "PATH", "that is inherited");
        Parsed parsed = flags.parse(commandLine);
        String idle = environment.getOrDefault("LONGSHORE_SHIM_IDLE_SECONDS", "");
        return new Config(
                parsed.arguments().isEmpty() ? "" : parsed.arguments().getFirst(),
                parsed.value("namespace").orElse(""),
                parsed.value("id").orElse(""),
                Path.of(parsed.value("bundle").orElse(".")).toAbsolutePath(),
                Path.of(parsed.value("launcher").orElse("")),
                parsed.value("socket").map(Path::of),
                environment.getOrDefault("TTRPC_ADDRESS", ""),
                idle.isEmpty() ? DEFAULT_IDLE : seconds("LONGSHORE_SHIM_IDLE_SECONDS", idle));
    }

    private static Duration seconds(String name, String value) throws UsageException {
        try {
            return Duration.ofSeconds(Long.parseLong(value));
        } catch (NumberFormatException e) {
            throw new UsageException("%s is \"%s\", which is no number of seconds".formatted(name, value));
        }
    }
}
