package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.security.InvalidKeyException;
import java.util.Base64;
import java.util.Map;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** Bytes in text, and keys in bytes. */
final class Values {

    private Values() {}

    /** The bytes at {@code key}; none if it is not there. */
    static byte[] base64(Map<String, Object> parent, String key) {
        return decode(Json.string(parent, key), key);
    }

    /** @param what names the text in the error */
    static byte[] decode(String text, String what) {
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw new InvalidArgumentException(what + " is not base64: " + e.getMessage(), e);
        }
    }

    /** As JOSE writes bytes. */
    static byte[] decodeUrl(String text, String what) {
        try {
            return Base64.getUrlDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw new InvalidArgumentException(what + " is not base64url: " + e.getMessage(), e);
        }
    }

    /** A key of AES out of what somebody has sent, which may be empty. */
    static SecretKey key(byte[] bytes) throws InvalidKeyException {
        if (bytes.length == 0) {
            throw new InvalidKeyException("an empty key");
        }
        return new SecretKeySpec(bytes, "AES");
    }

    static String encodeUrl(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }
}
