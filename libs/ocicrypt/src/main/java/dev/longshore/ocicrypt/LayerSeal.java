package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What everybody may know of an encrypted layer: its cipher, and the code that its ciphertext must have.
 *
 * @param hmac HMAC-SHA256 of the ciphertext
 * @param nonce empty where it is wrapped with the key, which is the rule
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record LayerSeal(byte[] hmac, byte[] nonce) {

    private static final String CIPHER = "AES_256_CTR_HMAC_SHA256";
    private static final int HMAC = 32;

    public LayerSeal {
        if (hmac.length != HMAC) {
            throw new InvalidArgumentException(
                    "the authentication code of a layer must have %d bytes, not %d".formatted(HMAC, hmac.length));
        }
    }

    /** @param annotation the value of {@link Annotations#PUBLIC_OPTIONS} */
    static LayerSeal parse(String annotation) {
        Map<String, Object> options =
                Json.object(Values.decode(annotation, Annotations.PUBLIC_OPTIONS), Annotations.PUBLIC_OPTIONS);
        String cipher = Json.string(options, "cipher");
        if (!cipher.equals(CIPHER)) {
            throw new InvalidArgumentException(
                    "the layer's cipher is \"%s\", and only %s is known".formatted(cipher, CIPHER));
        }
        Map<String, Object> values = Json.object(options, "cipheroptions");
        // Old writers have it among the cipher's options.
        byte[] hmac = Values.base64(options, "hmac");
        return new LayerSeal(hmac.length > 0 ? hmac : Values.base64(values, "hmac"), Values.base64(values, "nonce"));
    }

    /** As an annotation has it. */
    String annotation() {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put("cipher", CIPHER);
        options.put("hmac", Base64.getEncoder().encodeToString(hmac));
        options.put("cipheroptions", Map.of());
        return Base64.getEncoder().encodeToString(Json.bytes(options));
    }
}
