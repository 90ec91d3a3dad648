package dev.longshore.ocicrypt;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.RSAPrivateCrtKey;
import java.util.Objects;

/** Keys that openssl has made, one RSA and one EC, in all their forms; the password of those that have one is "secret". */
final class Fixtures {

    static final byte[] PASSWORD = "secret".getBytes(StandardCharsets.US_ASCII);
    static final byte[] NONE = new byte[0];

    private Fixtures() {}

    static byte[] file(String name) {
        try (InputStream in = Objects.requireNonNull(Fixtures.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static PrivateKey privateKey(String name) {
        return Keys.privateKey(file(name), PASSWORD).orElseThrow();
    }

    static PublicKey publicKey(String name) {
        return Keys.publicKey(file(name)).orElseThrow();
    }

    static X509Certificate certificate() {
        return Keys.certificate(file("cert.pem")).orElseThrow();
    }

    /** The private key of {@code rsa.pem} or {@code ec.pem} as a JWK. */
    static String jwk(String name) {
        return switch (privateKey(name)) {
            case RSAPrivateCrtKey rsa ->
                "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\",\"d\":\"%s\"}"
                        .formatted(
                                number(rsa.getModulus()),
                                number(rsa.getPublicExponent()),
                                number(rsa.getPrivateExponent()));
            case ECPrivateKey ec -> "{\"kty\":\"EC\",\"crv\":\"P-384\",\"d\":\"%s\"}".formatted(number(ec.getS()));
            default -> throw new AssertionError(name);
        };
    }

    private static String number(BigInteger number) {
        byte[] bytes = number.toByteArray();
        return Values.encodeUrl(bytes[0] == 0 ? java.util.Arrays.copyOfRange(bytes, 1, bytes.length) : bytes);
    }
}
