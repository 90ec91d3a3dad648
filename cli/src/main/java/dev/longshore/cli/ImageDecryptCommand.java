package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageRewriter;
import dev.longshore.cli.image.LayerEncryption;
import dev.longshore.cli.text.Progress;
import dev.longshore.cli.text.Table;
import dev.longshore.ocicrypt.KeyUnwrapper;
import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code longshore image decrypt}. */
@Command(
        name = "decrypt",
        description = {
            "Makes an image that everybody can read of an encrypted one.",
            "To run an encrypted image this is not needed: the daemon decrypts layers while it unpacks them."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore image decrypt --key alice.pem registry.example/app:1-encrypted app:1",
            "  longshore image decrypt --key bob.pem --dec-recipient pkcs7:bob.crt app:enc app:1"
        })
final class ImageDecryptCommand extends DaemonCommand {

    @Parameters(index = "0", paramLabel = "SOURCE", description = "the image's name")
    private String source = "";

    @Parameters(index = "1", paramLabel = "DESTINATION", description = "the name of the decrypted one")
    private String destination = "";

    @Mixin
    private final LayerChoice layers = new LayerChoice();

    @Override
    int run(Daemon daemon) throws IOException {
        KeyUnwrapper keys = new KeyUnwrapper(layers.keys(), LayerChoice.providers());
        Descriptor made;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            LayerEncryption encryption = new LayerEncryption(leased.daemon(), keys, progress);
            made = new ImageRewriter(leased.daemon(), layers.choice(), encryption::decrypt, progress)
                    .rewrite(source, destination);
        }
        Table table = new Table("DECRYPTED", "DIGEST");
        table.row(destination, made.digest().toString());
        show(table, Map.of("name", destination, "digest", made.digest().toString()));
        return 0;
    }
}
