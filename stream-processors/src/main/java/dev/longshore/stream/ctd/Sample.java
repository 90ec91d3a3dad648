package dev.longshore.stream.ctd;

import dev.longshore.ocicrypt.DecryptionKeys;
import dev.longshore.ocicrypt.KeyProviders;
import dev.longshore.ocicrypt.LayerCipher;
import dev.longshore.ocicrypt.LayerKey;
import dev.longshore.ocicrypt.LayerSeal;
import dev.longshore.ocicrypt.Recipients;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.Map;

/** Something to decrypt, to try the program with: a new key, a layer, and the payload that goes with it. */
final class Sample {

    private static final int LAYER_BYTES = 1 << 20;

    private Sample() {}

    /** Writes {@code keys/key.pem}, {@code layer} and {@code payload}. */
    static void write(Path folder) throws IOException {
        KeyPair pair;
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            pair = generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM has no RSA", e);
        }
        Path keys = Files.createDirectories(folder.resolve("keys"));
        Files.writeString(
                keys.resolve("key.pem"),
                "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n"
                        .formatted(Base64.getMimeEncoder()
                                .encodeToString(pair.getPrivate().getEncoded())));
        Path recipient =
                Files.write(folder.resolve("recipient"), pair.getPublic().getEncoded());
        Recipients recipients = new Recipients(KeyProviders.NONE);
        recipients.add("jwe:" + recipient);
        LayerKey key = LayerKey.random("");
        LayerSeal seal;
        try (OutputStream out = Files.newOutputStream(folder.resolve("layer"))) {
            seal = LayerCipher.encrypt(key, new ByteArrayInputStream(new byte[LAYER_BYTES]), out);
        }
        byte[] json = DecryptionKeys.payload(Map.of(), Map.of("annotations", recipients.wrap(key, seal)));
        ByteArrayOutputStream any = new ByteArrayOutputStream();
        field(any, 1, Payload.TYPE.getBytes(StandardCharsets.UTF_8));
        field(any, 2, json);
        Files.write(folder.resolve("payload"), any.toByteArray());
    }

    private static void field(ByteArrayOutputStream message, int number, byte[] bytes) {
        message.write((number << 3) | 2);
        int rest = bytes.length;
        for (; rest > 0x7f; rest >>>= 7) {
            message.write((rest & 0x7f) | 0x80);
        }
        message.write(rest);
        message.writeBytes(bytes);
    }
}
