package dev.longshore.stream.ctd;

import dev.longshore.ocicrypt.DecryptionKeys;
import dev.longshore.ocicrypt.GrpcKeyProvider;
import dev.longshore.ocicrypt.KeyProviders;
import dev.longshore.ocicrypt.KeyUnwrapper;
import dev.longshore.ocicrypt.KeyUnwrapper.Opened;
import dev.longshore.ocicrypt.LayerCipher;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code ctd-decoder}: an encrypted layer on standard input, and what it holds on standard output. Name, flags, environment and payload
 * are those of imgcrypt's, so a configuration that was written for that one works.
 */
public final class Main {

    private static final Flags FLAGS = new Flags("ctd-decoder [flags]")
            .option("decryption-keys-path", "DIR", "a folder with keys, beside those that the client sends")
            .option("sample", "DIR", "write a key, a layer and its payload to DIR, to try this program with");

    private Main() {}

    public static void main(String[] args) {
        try {
            Parsed flags = FLAGS.parse(List.of(args));
            if (flags.has("help")) {
                System.out.print(FLAGS.help());
                return;
            }
            if (flags.value("sample").isPresent()) {
                Sample.write(Path.of(flags.value("sample").get()));
                return;
            }
            decrypt(flags);
        } catch (UsageException e) {
            System.err.println("ctd-decoder: " + e.getMessage());
            System.exit(2);
        } catch (ContainerdException | IOException e) {
            System.err.println("ctd-decoder: " + e.getMessage());
            System.exit(1);
        }
    }

    private static void decrypt(Parsed flags) throws IOException {
        Payload payload = Payload.read();
        DecryptionKeys keys = new DecryptionKeys();
        if (flags.value("decryption-keys-path").isPresent()) {
            keys.addFolder(Path.of(flags.value("decryption-keys-path").get()));
        }
        keys.add(payload.parameters());
        KeyProviders providers = KeyProviders.of(System.getenv(), new GrpcKeyProvider());
        Opened opened = new KeyUnwrapper(keys, providers).unwrap(payload.annotations());
        try (InputStream in = new FileInputStream(FileDescriptor.in);
                OutputStream out = new FileOutputStream(FileDescriptor.out)) {
            LayerCipher.decrypt(opened.key(), opened.seal(), in, out);
        }
    }
}
