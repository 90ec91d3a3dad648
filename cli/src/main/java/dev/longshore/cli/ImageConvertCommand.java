package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageRewriter;
import dev.longshore.cli.image.LayerConversion;
import dev.longshore.cli.text.Progress;
import dev.longshore.cli.text.Table;
import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code longshore image convert}. */
@Command(
        name = "convert",
        description = {
            "Makes an image that starts before it is downloaded, where a snapshotter for that is there; elsewhere it is an image",
            "like any other. The same image makes the same bytes each time."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore image convert --estargz app:1 registry.example/app:1-lazy",
            "  longshore image convert --zstd-chunked --chunk-size 1m app:1 registry.example/app:1-lazy"
        })
final class ImageConvertCommand extends DaemonCommand {

    @Parameters(index = "0", paramLabel = "SOURCE", description = "the image's name")
    private String source = "";

    @Parameters(index = "1", paramLabel = "DESTINATION", description = "the name of the new one")
    private String destination = "";

    @Mixin
    private final LazyFormat format = new LazyFormat();

    @Override
    int run(Daemon daemon) throws IOException {
        Descriptor made;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            LayerConversion conversion = new LayerConversion(leased.daemon(), format.target(), Map.of(), progress);
            made = new ImageRewriter(leased.daemon(), format.choice(), conversion, progress)
                    .rewrite(source, destination);
        }
        Table table = new Table("CONVERTED", "DIGEST");
        table.row(destination, made.digest().toString());
        show(table, Map.of("name", destination, "digest", made.digest().toString()));
        return 0;
    }
}
