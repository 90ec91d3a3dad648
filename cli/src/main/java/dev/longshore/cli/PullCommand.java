package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.IpfsPublisher;
import dev.longshore.cli.image.Transfer;
import dev.longshore.cli.text.Bars;
import dev.longshore.cli.text.Table;
import dev.longshore.registry.DockerConfig;
import dev.longshore.sdk.oci.Reference;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore pull}. */
@Command(
        name = "pull",
        description = {
            "Pulls an image from a registry, or from IPFS, and unpacks it.",
            "The daemon does the work; users and passwords come from Docker's configuration file and its helpers."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore pull docker.io/library/alpine:3",
            "  longshore pull --plain-http registry.example:5000/app:1",
            "  longshore pull ipfs://bafkreib5vlyjtkoz3d5gpzwbpqtyvpxhl4nlpqvvkgaalvbbn2sk7jiolm"
        })
final class PullCommand extends DaemonCommand {

    @Parameters(
            paramLabel = "IMAGE",
            description = "its name; docker.io/library/ may be left out; or ipfs:// and what image push-ipfs printed")
    private String image = "";

    @Option(names = "--no-unpack", description = "do not unpack the layers now; running the image will")
    private boolean noUnpack;

    @Option(
            names = "--snapshotter",
            paramLabel = "NAME",
            defaultValue = "overlayfs",
            description = "unpack with this snapshotter (default: ${DEFAULT-VALUE})")
    private String snapshotter = "overlayfs";

    @Option(
            names = "--plain-http",
            description = "speak to the registry without TLS, unless a hosts.toml of the daemon's says otherwise")
    private boolean plainHttp;

    @Override
    int run(Daemon daemon) throws Exception {
        String name = IpfsPublisher.isReference(image)
                ? image
                : Reference.parseFamiliar(image).toString();
        try (Leased leased = new Leased(daemon);
                Bars bars = Bars.onStandardError()) {
            TransferReport report = new TransferReport(bars);
            Transfer transfer = new Transfer(leased.daemon(), DockerConfig.ofUser(System.getenv()));
            transfer.pull(name, noUnpack ? Optional.empty() : Optional.of(snapshotter), plainHttp, report::accept);
        }
        Table table = new Table("PULLED");
        table.row(name);
        show(table, List.of(name));
        return 0;
    }
}
