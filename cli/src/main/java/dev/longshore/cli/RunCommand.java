package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageStore;
import dev.longshore.cli.run.Launch;
import dev.longshore.cli.run.MountFlag;
import dev.longshore.cli.run.Runner;
import dev.longshore.cli.run.SpecRequest;
import dev.longshore.cli.text.Amounts;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore run}. */
@Command(
        name = "run",
        description = "Runs a container, and ends with its exit status.",
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore run --rm -it docker.io/library/alpine:3 sh",
            "  longshore run --rm --memory 64m --cpus 0.5 app:1 make",
            "  longshore run -d --name web --net host -v /srv/www:/www:ro httpd:2"
        })
final class RunCommand extends DaemonCommand {

    @Parameters(
            index = "0",
            paramLabel = "IMAGE",
            description = "the image's name; docker.io/library/ and :latest may be left out")
    private String image = "";

    @Parameters(
            index = "1..*",
            paramLabel = "ARG",
            arity = "0..*",
            description =
                    "instead of the arguments that the image runs its program with; flags for longshore go before IMAGE")
    private List<String> arguments = List.of();

    @Option(names = "--rm", description = "remove the container when it has ended")
    private boolean remove;

    @Option(
            names = {"-i", "--interactive"},
            description = "pass this terminal's input on")
    private boolean interactive;

    @Option(
            names = {"-t", "--tty"},
            description = "give it a terminal")
    private boolean terminal;

    @Option(
            names = {"-d", "--detach"},
            description = "leave it running, and print its id; see longshore logs")
    private boolean detach;

    @Option(
            names = {"--name", "--id"},
            paramLabel = "ID",
            description = "its id (default: random)")
    private String id = "";

    @Option(
            names = {"-e", "--env"},
            paramLabel = "NAME=VALUE",
            description = "set a variable; NAME alone takes its value from here")
    private List<String> environment = List.of();

    @Option(
            names = "--mount",
            paramLabel = "SPEC",
            description = "e.g. type=bind,src=/here,dst=/there,options=rbind:ro or type=tmpfs,dst=/scratch")
    private List<String> mounts = List.of();

    @Option(
            names = {"-v", "--volume"},
            paramLabel = "HERE:THERE[:ro]",
            description = "mount a folder or file of this machine")
    private List<String> volumes = List.of();

    @Option(
            names = {"-w", "--cwd", "--workdir"},
            paramLabel = "FOLDER",
            description = "where it starts")
    private @Nullable String workingFolder;

    @Option(
            names = {"-u", "--user"},
            paramLabel = "USER[:GROUP]",
            description = "by name, as in the image, or number")
    private String user = "";

    @Option(names = "--entrypoint", paramLabel = "PROGRAM", description = "instead of the image's")
    private @Nullable String entrypoint;

    @Option(
            names = {"-m", "--memory"},
            paramLabel = "SIZE",
            description = "the most it may use, e.g. 64m")
    private @Nullable String memory;

    @Option(names = "--cpus", paramLabel = "NUMBER", description = "how many may be busy, e.g. 0.5")
    private @Nullable Double cpus;

    @Option(names = "--read-only", description = "make its root file system read-only")
    private boolean readOnly;

    @Option(
            names = {"--net", "--network"},
            paramLabel = "none|host",
            defaultValue = "none",
            description = "none: a loopback device only (default); host: this machine's network")
    private String network = "none";

    @Option(names = "--privileged", description = "all capabilities and devices: for programs that you trust like root")
    private boolean privileged;

    @Option(
            names = "--runtime",
            paramLabel = "NAME",
            defaultValue = "io.containerd.runc.v2",
            description = "the shim to run it with (default: ${DEFAULT-VALUE})")
    private String runtime = "io.containerd.runc.v2";

    @Option(
            names = "--snapshotter",
            paramLabel = "NAME",
            defaultValue = "overlayfs",
            description = "what keeps its files (default: ${DEFAULT-VALUE})")
    private String snapshotter = "overlayfs";

    @Option(names = "--log", paramLabel = "FILE", description = "where the output of a detached container goes")
    private @Nullable Path log;

    @Override
    int run(Daemon daemon) throws IOException, InterruptedException {
        if (detach && (remove || interactive || terminal)) {
            throw new InvalidArgumentException(
                    "--detach does not go with --rm, -i and -t: a detached container is removed with longshore rm");
        }
        if (!network.equals("none") && !network.equals("host")) {
            throw new InvalidArgumentException("--net %s: it must be none or host".formatted(network));
        }
        if (cpus != null && cpus <= 0) {
            throw new InvalidArgumentException("--cpus %s: it must be more than 0".formatted(cpus));
        }
        String name = id.isEmpty() ? UUID.randomUUID().toString().substring(0, 13) : id;
        ImageStore.Resolved resolved;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            resolved = new ImageStore(leased.daemon(), snapshotter).unpack(image, progress);
        }
        SpecRequest spec = new SpecRequest(
                name,
                daemon.namespace().value(),
                arguments,
                Optional.ofNullable(entrypoint),
                environment(environment),
                Optional.ofNullable(workingFolder),
                terminal,
                readOnly,
                network.equals("host"),
                privileged,
                Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers")),
                mounts(),
                memory == null ? OptionalLong.empty() : OptionalLong.of(Amounts.parseSize(memory)),
                Optional.ofNullable(cpus));
        int status = new Runner(daemon)
                .run(new Launch(
                        resolved,
                        spec,
                        user,
                        runtime,
                        snapshotter,
                        detach,
                        interactive,
                        remove,
                        log != null
                                ? log.toAbsolutePath()
                                : defaultLog(connection().address(), daemon, name)));
        if (detach) {
            print(name + "\n");
        }
        return status;
    }

    private List<MountFlag> mounts() {
        List<MountFlag> flags =
                new ArrayList<>(mounts.stream().map(MountFlag::parse).toList());
        for (String volume : volumes) {
            String[] parts = volume.split(":", -1);
            if (parts.length < 2 || parts.length > 3 || (parts.length == 3 && !parts[2].matches("ro|rw"))) {
                throw new InvalidArgumentException("-v %s: write HERE:THERE or HERE:THERE:ro".formatted(volume));
            }
            flags.add(new MountFlag("bind", parts[0], parts[1], List.of("rbind", parts.length == 3 ? parts[2] : "rw")));
        }
        return flags;
    }

    /** A name alone means the variable of this process, if there is one. */
    static List<String> environment(List<String> entries) {
        return entries.stream()
                .map(entry -> {
                    String value = System.getenv(entry);
                    return entry.contains("=") || value == null ? entry : entry + "=" + value;
                })
                .toList();
    }

    /** In the log folder of a suite whose socket this is; else in the machine's. */
    private static Path defaultLog(Path address, Daemon daemon, String id) {
        Path run = address.getParent();
        Path folder = Path.of("/var/log/longshore");
        if (run != null && run.endsWith("run") && Files.isDirectory(run.resolveSibling("log"))) {
            folder = run.resolveSibling("log");
        }
        return folder.resolve(
                "containers/%s/%s.log".formatted(daemon.namespace().value(), id));
    }
}
