package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.Transfer;
import dev.longshore.cli.text.Bars;
import dev.longshore.cli.text.Table;
import dev.longshore.registry.DockerConfig;
import dev.longshore.sdk.oci.Reference;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore push}. */
@Command(
        name = "push",
        description = {
            "Pushes an image to the registry that its name names.",
            "The daemon does the work; users and passwords come from Docker's configuration file and its helpers."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  longshore push registry.example/app:1"})
final class PushCommand extends DaemonCommand {

    @Parameters(paramLabel = "IMAGE", description = "its name; docker.io/library/ may be left out")
    private String image = "";

    @Option(
            names = "--plain-http",
            description = "speak to the registry without TLS, unless a hosts.toml of the daemon's says otherwise")
    private boolean plainHttp;

    @Override
    int run(Daemon daemon) throws Exception {
        String name = Reference.parseFamiliar(image).toString();
        try (Leased leased = new Leased(daemon);
                Bars bars = Bars.onStandardError()) {
            TransferReport report = new TransferReport(bars);
            Transfer transfer = new Transfer(leased.daemon(), DockerConfig.ofUser(System.getenv()));
            transfer.push(name, plainHttp, report::accept);
        }
        Table table = new Table("PUSHED");
        table.row(name);
        show(table, List.of(name));
        return 0;
    }
}
