package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageRewriter;
import dev.longshore.cli.image.ImageStore;
import dev.longshore.cli.image.LayerConversion;
import dev.longshore.cli.image.LayerFiles;
import dev.longshore.cli.run.Launch;
import dev.longshore.cli.run.SpecRequest;
import dev.longshore.cli.run.UsedFiles;
import dev.longshore.cli.text.Progress;
import dev.longshore.cli.text.Table;
import dev.longshore.sdk.config.GoDuration;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore image optimize}. */
@Command(
        name = "optimize",
        description = {
            "Runs an image to see which files it uses, and makes one that starts before it is downloaded, with those files first:",
            "they are fetched together when it is pulled. Runs as root on the daemon's machine."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore image optimize app:1 registry.example/app:1-lazy",
            "  longshore image optimize --period 30s python:3 registry.example/python:3 -- python3 -c 'import json'"
        })
final class ImageOptimizeCommand extends DaemonCommand {

    @Parameters(index = "0", paramLabel = "SOURCE", description = "the image's name")
    private String source = "";

    @Parameters(index = "1", paramLabel = "DESTINATION", description = "the name of the new one")
    private String destination = "";

    @Parameters(index = "2..*", paramLabel = "ARGUMENT", description = "what to run, instead of what the image runs")
    private List<String> command = List.of();

    @Option(
            names = "--period",
            paramLabel = "TIME",
            defaultValue = "10s",
            description = "how long it runs at most, e.g. 1m (default: ${DEFAULT-VALUE})")
    private String period = "10s";

    @Option(
            names = {"-e", "--env"},
            paramLabel = "NAME=VALUE",
            description = "set a variable; NAME alone takes its value from here")
    private List<String> environment = List.of();

    @Option(
            names = {"--net", "--network"},
            paramLabel = "none|host",
            defaultValue = "none",
            description = "none: a loopback device only (default); host: this machine's network")
    private String network = "none";

    @Mixin
    private final LazyFormat format = new LazyFormat();

    @Override
    int run(Daemon daemon) throws IOException, InterruptedException {
        Duration time = GoDuration.parse(period)
                .filter(Duration::isPositive)
                .orElseThrow(() -> new InvalidArgumentException(
                        "--period %s: it must be a time of more than 0, e.g. 10s or 1m30s".formatted(period)));
        if (!network.equals("none") && !network.equals("host")) {
            throw new InvalidArgumentException("--net %s: it must be none or host".formatted(network));
        }
        LayerConversion.Target target = format.target();
        Descriptor made;
        int files;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            ImageStore.Resolved image = new ImageStore(leased.daemon(), "overlayfs").unpack(source, progress);
            UsedFiles.Seen seen = new UsedFiles(leased.daemon()).watch(launch(image, daemon), time);
            Map<Digest, List<String>> used = new LayerFiles(leased.daemon(), progress)
                    .layersOf(image.manifest().layers(), seen.paths());
            files = used.values().stream().mapToInt(List::size).sum();
            if (files == 0) {
                throw new FailedPreconditionException(
                        "image %s was run and used no file of its own, with exit status %d: nothing is there to come first"
                                .formatted(image.name(), seen.status()));
            }
            LayerConversion conversion = new LayerConversion(leased.daemon(), target, used, progress);
            made = new ImageRewriter(leased.daemon(), format.choice(), conversion, progress)
                    .rewrite(source, destination);
        }
        Table table = new Table("OPTIMIZED", "FILES FIRST", "DIGEST");
        table.row(destination, Integer.toString(files), made.digest().toString());
        show(
                table,
                Map.of(
                        "name",
                        destination,
                        "files",
                        files,
                        "digest",
                        made.digest().toString()));
        return 0;
    }

    private Launch launch(ImageStore.Resolved image, Daemon daemon) {
        String id = "optimize-" + UUID.randomUUID();
        SpecRequest spec = new SpecRequest(
                id,
                daemon.namespace().value(),
                command.isEmpty() ? List.of() : command.subList(1, command.size()),
                command.stream().findFirst(),
                RunCommand.environment(environment),
                Optional.empty(),
                false,
                false,
                network.equals("host"),
                false,
                Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers")),
                List.of(),
                OptionalLong.empty(),
                Optional.empty());
        return new Launch(
                image, spec, "", "io.containerd.runc.v2", "overlayfs", false, false, true, Path.of("/dev/null"));
    }
}
