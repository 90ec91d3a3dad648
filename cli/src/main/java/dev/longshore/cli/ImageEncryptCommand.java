package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageRewriter;
import dev.longshore.cli.image.LayerEncryption;
import dev.longshore.cli.text.Progress;
import dev.longshore.cli.text.Table;
import dev.longshore.ocicrypt.KeyProviders;
import dev.longshore.ocicrypt.KeyUnwrapper;
import dev.longshore.ocicrypt.Recipients;
import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore image encrypt}. */
@Command(
        name = "encrypt",
        description = {
            "Makes an image whose layers only its recipients can read.",
            "Layers that are encrypted stay as they are; with --key for one of their readers, the recipients become readers, too."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore image encrypt --recipient jwe:alice.pub.pem app:1 registry.example/app:1-encrypted",
            "  longshore image encrypt --key alice.pem:file=password --recipient pkcs7:bob.crt app:enc app:enc2"
        })
final class ImageEncryptCommand extends DaemonCommand {

    @Parameters(index = "0", paramLabel = "SOURCE", description = "the image's name")
    private String source = "";

    @Parameters(index = "1", paramLabel = "DESTINATION", description = "the name of the encrypted one")
    private String destination = "";

    @Option(
            names = "--recipient",
            required = true,
            paramLabel = "RECIPIENT",
            description = {
                "who is to read it; may be given more than once: jwe:FILE with a public key, pkcs7:FILE with a certificate,",
                "pgp:ADDRESS of a key in --pgp-keys, provider:NAME[:ATTRIBUTE] of a key provider"
            })
    private List<String> recipients = List.of();

    @Option(names = "--pgp-keys", paramLabel = "FILE", description = "OpenPGP public keys, as gpg --export writes them")
    private Optional<Path> ring = Optional.empty();

    @Mixin
    private final LayerChoice layers = new LayerChoice();

    @Override
    int run(Daemon daemon) throws IOException {
        KeyProviders providers = LayerChoice.providers();
        Recipients readers = new Recipients(providers);
        ring.ifPresent(readers::ring);
        for (String recipient : recipients) {
            readers.add(recipient);
        }
        KeyUnwrapper keys = new KeyUnwrapper(layers.keys(), providers);
        Descriptor made;
        try (Leased leased = new Leased(daemon);
                Progress progress = Progress.onStandardError()) {
            LayerEncryption encryption = new LayerEncryption(leased.daemon(), keys, progress);
            made = new ImageRewriter(
                            leased.daemon(), layers.choice(), layer -> encryption.encrypt(layer, readers), progress)
                    .rewrite(source, destination);
        }
        Table table = new Table("ENCRYPTED", "DIGEST");
        table.row(destination, made.digest().toString());
        show(table, Map.of("name", destination, "digest", made.digest().toString()));
        return 0;
    }
}
