package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageRewriter.Choice;
import dev.longshore.cli.image.ImageStore;
import dev.longshore.cli.image.IpfsPublisher;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore image push-ipfs}. */
@Command(
        name = "push-ipfs",
        description = {
            "Gives an image to IPFS and prints its CID, by which others can pull it.",
            "The daemon's content store must be longshore-content-ipfs. What is pushed is in the store as ipfs://CID; removing",
            "that image takes it back."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  longshore image push-ipfs app:1", "  longshore pull ipfs://$(longshore image push-ipfs app:1)"})
final class ImagePushIpfsCommand extends DaemonCommand {

    @Parameters(paramLabel = "IMAGE", description = "its name")
    private String image = "";

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            description =
                    "push this platform, e.g. linux/arm64, instead of this machine's; may be given more than once")
    private List<String> platforms = List.of();

    @Option(names = "--all-platforms", description = "push all platforms; all of them must be here")
    private boolean allPlatforms;

    @Override
    int run(Daemon daemon) throws IOException {
        if (allPlatforms && !platforms.isEmpty()) {
            throw new InvalidArgumentException("--all-platforms does not go with --platform");
        }
        List<String> wanted = platforms.isEmpty() ? List.of("linux/" + ImageStore.architecture()) : platforms;
        Choice choice = new Choice(List.of(), allPlatforms ? List.of() : wanted);
        String cid;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            cid = new IpfsPublisher(leased.daemon(), choice, progress).publish(image);
        }
        print(connection().json() ? Json.pretty(Map.of("cid", cid)) + "\n" : cid + "\n");
        return 0;
    }
}
