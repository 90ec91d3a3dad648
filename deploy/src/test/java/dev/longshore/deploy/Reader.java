package dev.longshore.deploy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.interfaces.RSAPrivateCrtKey;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Somebody who may read an encrypted image, with keys that openssl or gpg has made.
 *
 * @param recipient how skopeo and we are told to encrypt for it
 * @param skopeoKeys what skopeo has to be given to decrypt
 * @param ourKeys the same for {@code longshore image decrypt}
 * @param encryptOptions what {@code longshore image encrypt} needs besides the recipient
 * @param environment of a skopeo that encrypts
 */
record Reader(
        String recipient,
        List<String> skopeoKeys,
        List<String> ourKeys,
        List<String> encryptOptions,
        Map<String, String> environment) {

    /**
     * Makes one, with the private part in a folder that the daemon may have.
     *
     * @param kind {@code rsa}, {@code ec}, {@code jwk}, {@code pkcs7}, {@code password} (not for the daemon) or {@code pgp}
     */
    static Reader make(String kind, Path keys) {
        try {
            Path folder = Files.createTempDirectory("reader");
            Path key = keys.resolve("key");
            Path given = folder.resolve("public");
            return switch (kind) {
                case "rsa" -> {
                    openssl("genrsa", "-out", key.toString(), "2048");
                    openssl("pkey", "-in", key.toString(), "-pubout", "-out", given.toString());
                    yield simple("jwe:" + given, key.toString());
                }
                case "ec" -> {
                    openssl(
                            "genpkey",
                            "-algorithm",
                            "EC",
                            "-pkeyopt",
                            "ec_paramgen_curve:P-256",
                            "-out",
                            key.toString());
                    openssl("pkey", "-in", key.toString(), "-pubout", "-out", given.toString());
                    yield simple("jwe:" + given, key.toString());
                }
                case "jwk" -> {
                    jwk(key, given);
                    yield simple("jwe:" + given, key.toString());
                }
                case "password" -> {
                    Path password = Files.writeString(folder.resolve("password"), "open sesame\n");
                    Path open = folder.resolve("open");
                    openssl("genrsa", "-out", open.toString(), "2048");
                    openssl(
                            "pkcs8",
                            "-topk8",
                            "-in",
                            open.toString(),
                            "-out",
                            key.toString(),
                            "-passout",
                            "pass:open sesame");
                    openssl("pkey", "-in", open.toString(), "-pubout", "-out", given.toString());
                    // Debian's skopeo takes no password.
                    yield new Reader(
                            "jwe:" + given,
                            List.of("--decryption-key", open.toString()),
                            List.of("--key", key + ":file=" + password),
                            List.of(),
                            Map.of());
                }
                case "pkcs7" -> {
                    Path certificate = keys.resolve("certificate");
                    openssl(
                            "req",
                            "-x509",
                            "-newkey",
                            "rsa:2048",
                            "-nodes",
                            "-subj",
                            "/C=DE/O=Readers/CN=Zoë",
                            "-utf8",
                            "-days",
                            "2",
                            "-keyout",
                            key.toString(),
                            "-out",
                            certificate.toString());
                    yield new Reader(
                            "pkcs7:" + certificate,
                            List.of("--decryption-key", key.toString(), "--decryption-key", certificate.toString()),
                            List.of("--key", key.toString(), "--dec-recipient", "pkcs7:" + certificate),
                            List.of(),
                            Map.of());
                }
                default -> pgp(keys.resolve("secret.gpg"), folder.resolve("public.gpg"));
            };
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Reader simple(String recipient, String key) {
        return new Reader(recipient, List.of("--decryption-key", key), List.of("--key", key), List.of(), Map.of());
    }

    private static Reader pgp(Path secret, Path open) throws IOException {
        Programs.need("gpg");
        // Short: gpg's agent has its socket there.
        Path home = Files.createTempDirectory("gpg");
        gpg(home, "--quick-gen-key", "Reader <reader@example.com>", "rsa2048", "encr", "never");
        gpg(home, "--output", secret.toString(), "--export-secret-keys");
        gpg(home, "--output", open.toString(), "--export");
        return new Reader(
                "pgp:reader@example.com",
                List.of("--decryption-key", secret.toString()),
                List.of("--key", secret.toString()),
                List.of("--pgp-keys", open.toString()),
                Map.of("GNUPGHOME", home.toString()));
    }

    static void openssl(String... arguments) {
        Programs.run(Stream.concat(Stream.of("openssl"), Stream.of(arguments)).toList())
                .ok();
    }

    private static void gpg(Path home, String... arguments) {
        List<String> options = List.of(
                "gpg",
                "--homedir",
                home.toString(),
                "--batch",
                "--yes",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "");
        Programs.run(Stream.concat(options.stream(), Stream.of(arguments)).toList())
                .ok();
    }

    private static void jwk(Path key, Path given) throws IOException {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            RSAPrivateCrtKey pair =
                    (RSAPrivateCrtKey) generator.generateKeyPair().getPrivate();
            String open = "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\""
                    .formatted(text(pair.getModulus()), text(pair.getPublicExponent()));
            Files.writeString(given, open + "}");
            Files.writeString(
                    key,
                    open
                            + ",\"d\":\"%s\",\"p\":\"%s\",\"q\":\"%s\"}"
                                    .formatted(
                                            text(pair.getPrivateExponent()),
                                            text(pair.getPrimeP()),
                                            text(pair.getPrimeQ())));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static String text(BigInteger number) {
        byte[] bytes = number.toByteArray();
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(bytes[0] == 0 ? Arrays.copyOfRange(bytes, 1, bytes.length) : bytes);
    }
}
