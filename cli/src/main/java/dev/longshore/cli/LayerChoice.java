package dev.longshore.cli;

import dev.longshore.cli.image.ImageRewriter.Choice;
import dev.longshore.ocicrypt.DecryptionKeys;
import dev.longshore.ocicrypt.GrpcKeyProvider;
import dev.longshore.ocicrypt.KeyProviders;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that encrypting and decrypting have in common: which layers, and which keys. */
final class LayerChoice {

    /** A file, and where its password is. */
    private static final Pattern KEY = Pattern.compile("(.+?)(?::(pass|file|fd)=(.*))?", Pattern.DOTALL);

    private static final int MAX_PASSWORD = 4096;

    @Option(
            names = "--layer",
            paramLabel = "N",
            description =
                    "only this layer, from 0, the lowest; or from the top, which is -1; may be given more than once")
    private List<Integer> layers = List.of();

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            description =
                    "only this platform, e.g. linux/arm64; the others stay as they are; may be given more than once")
    private List<String> platforms = List.of();

    @Option(
            names = "--key",
            paramLabel = "KEY[:file=|fd=|pass=...]",
            description = {
                "a file with a private key or an OpenPGP secret key, to open what is encrypted;",
                "its password is in a file, comes on a descriptor, or is given (and seen by all users);",
                "provider:NAME[:ATTRIBUTE] for a key provider"
            })
    private List<String> keys = List.of();

    @Option(
            names = "--dec-recipient",
            paramLabel = "pkcs7:CERT",
            description = "the certificate of a private key, which PKCS#7 needs")
    private List<String> certificates = List.of();

    Choice choice() {
        return new Choice(layers, platforms);
    }

    /** Those of the file that the environment names. */
    static KeyProviders providers() throws IOException {
        return KeyProviders.of(System.getenv(), new GrpcKeyProvider());
    }

    DecryptionKeys keys() throws IOException {
        DecryptionKeys found = new DecryptionKeys();
        for (String key : keys) {
            if (key.startsWith("provider:")) {
                String[] words = key.split(":", 3);
                found.addProvider(words[1], words.length > 2 ? words[2] : "");
            } else {
                Matcher parts = KEY.matcher(key);
                if (!parts.matches()) {
                    throw new InvalidArgumentException("--key has no file");
                }
                found.addFile(Path.of(parts.group(1)), password(parts.group(2), parts.group(3)));
            }
        }
        for (String certificate : certificates) {
            if (!certificate.startsWith("pkcs7:")) {
                throw new InvalidArgumentException(
                        "--dec-recipient is pkcs7:FILE with a certificate, and not \"%s\"; other keys need --key only"
                                .formatted(certificate));
            }
            found.addFile(Path.of(certificate.substring("pkcs7:".length())), new byte[0]);
        }
        return found;
    }

    private static byte[] password(@Nullable String kind, String value) throws IOException {
        return switch (kind) {
            case null -> new byte[0];
            case "pass" -> value.getBytes(StandardCharsets.UTF_8);
            case "fd" -> firstLine(Path.of("/dev/fd/" + Integer.parseUnsignedInt(value)));
            default -> firstLine(Path.of(value));
        };
    }

    private static byte[] firstLine(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_PASSWORD);
            int end = 0;
            while (end < bytes.length && bytes[end] != '\n') {
                end++;
            }
            return Arrays.copyOf(bytes, end);
        }
    }
}
