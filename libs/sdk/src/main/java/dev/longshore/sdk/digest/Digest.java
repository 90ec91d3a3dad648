package dev.longshore.sdk.digest;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Libcrypto;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A content digest, {@code algorithm:hex}.
 *
 * @param algorithm {@code sha256}, {@code sha384} or {@code sha512}
 * @param hex lower-case, as long as the algorithm wants it
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests">OCI digests</a>
 */
public record Digest(String algorithm, String hex) {

    /** @throws InvalidArgumentException if the algorithm is not one of ours or the hex is not of its form */
    public Digest {
        int expected = switch (algorithm) {
            case "sha256" -> 64;
            case "sha384" -> 96;
            case "sha512" -> 128;
            default ->
                throw new InvalidArgumentException(
                        "digest algorithm \"%.32s\" is not supported: use sha256, sha384 or sha512"
                                .formatted(algorithm));
        };
        if (hex.length() != expected || !isLowerHex(hex)) {
            throw new InvalidArgumentException(
                    "digest %s:%.140s must have %d lower-case hex digits".formatted(algorithm, hex, expected));
        }
    }

    /** @throws InvalidArgumentException if {@code text} is no digest */
    public static Digest parse(String text) {
        int colon = text.indexOf(':');
        if (colon < 0) {
            throw new InvalidArgumentException(
                    "digest \"%.140s\" has no algorithm: expected e.g. sha256:<hex>".formatted(text));
        }
        String algorithm = text.startsWith("sha256:") ? "sha256" : text.substring(0, colon);
        return new Digest(algorithm, text.substring(colon + 1));
    }

    /** What the hexadecimal digits say: 32, 48 or 64 bytes. */
    public byte[] bytes() {
        // Not by HexFormat, which asks the string for one character after another.
        byte[] digits = hex.getBytes(StandardCharsets.ISO_8859_1);
        byte[] bytes = new byte[digits.length / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (value(digits[2 * i]) << 4 | value(digits[2 * i + 1]));
        }
        return bytes;
    }

    private static int value(byte digit) {
        return digit <= '9' ? digit - '0' : digit - 'a' + 10;
    }

    /** The digest that {@code digester}, made by {@link #digester}, has come to; resets it. */
    public static Digest of(String algorithm, MessageDigest digester) {
        return new Digest(algorithm, HexFormat.of().formatHex(digester.digest()));
    }

    /** The sha256 of {@code bytes}. */
    public static Digest sha256(byte[] bytes) {
        MessageDigest digester = digester("sha256");
        digester.update(bytes);
        return of("sha256", digester);
    }

    /** A fresh computation of this digest's algorithm. */
    public MessageDigest digester() {
        return digester(algorithm);
    }

    /** A fresh computation of {@code algorithm}, one of the three of the record. */
    public static MessageDigest digester(String algorithm) {
        return switch (algorithm) {
            case "sha256" -> digester("SHA-256", 32);
            case "sha384" -> digester("SHA-384", 48);
            case "sha512" -> digester("SHA-512", 64);
            default ->
                throw new InvalidArgumentException("digest algorithm \"%.32s\" is not supported".formatted(algorithm));
        };
    }

    private static MessageDigest digester(String name, int length) {
        return Libcrypto.digester(name, length).orElseGet(() -> {
            try {
                return MessageDigest.getInstance(name);
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every JDK has " + name, e);
            }
        });
    }

    /** Over bytes, which is fast also before it is compiled well: tables of contents have tens of thousands of digests. */
    private static boolean isLowerHex(String hex) {
        for (byte c : hex.getBytes(StandardCharsets.ISO_8859_1)) {
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return algorithm + ":" + hex;
    }
}
