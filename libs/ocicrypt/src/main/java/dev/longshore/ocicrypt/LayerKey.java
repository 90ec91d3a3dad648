package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a layer is encrypted with: the secret that is wrapped for its readers.
 *
 * @param key for AES-256 and for the authentication code
 * @param nonce the first block of the counter
 * @param digest of the layer before it was encrypted; empty if nobody has said so
 */
@SuppressWarnings("ArrayRecordComponent") // equality is by content, below
public record LayerKey(byte[] key, byte[] nonce, String digest) {

    private static final int KEY = 32;
    private static final int NONCE = 16;

    public LayerKey {
        if (key.length != KEY || nonce.length != NONCE) {
            throw new InvalidArgumentException("a layer's key must have %d bytes and its nonce %d, not %d and %d"
                    .formatted(KEY, NONCE, key.length, nonce.length));
        }
    }

    /** A new one, for a layer of that digest. */
    public static LayerKey random(String digest) {
        SecureRandom random = new SecureRandom();
        byte[] key = new byte[KEY];
        byte[] nonce = new byte[NONCE];
        random.nextBytes(key);
        random.nextBytes(nonce);
        return new LayerKey(key, nonce, digest);
    }

    /** @throws InvalidArgumentException if it is not what is wrapped in ocicrypt's annotations */
    static LayerKey parse(byte[] json, LayerSeal seal) {
        Map<String, Object> options = Json.object(json, "the key of a layer");
        Map<String, Object> cipher = Json.object(options, "cipheroptions");
        // Where it was published with the rest, that counts.
        byte[] nonce = seal.nonce().length > 0 ? seal.nonce() : Values.base64(cipher, "nonce");
        return new LayerKey(Values.base64(options, "symkey"), nonce, Json.string(options, "digest"));
    }

    /** As it is wrapped. */
    byte[] json() {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put("symkey", Base64.getEncoder().encodeToString(key));
        options.put("digest", digest);
        options.put("cipheroptions", Map.of("nonce", Base64.getEncoder().encodeToString(nonce)));
        return Json.bytes(options);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof LayerKey that
                && Arrays.equals(key, that.key)
                && Arrays.equals(nonce, that.nonce)
                && digest.equals(that.digest);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(nonce);
    }

    /** Without the key: this may end up in a log. */
    @Override
    public String toString() {
        return "key of layer " + digest;
    }
}
