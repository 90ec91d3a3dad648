package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPrivateKeySpec;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.RSAPrivateKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/** Keys and certificates as files have them: DER, PEM, or JSON. */
final class Keys {

    private static final byte[] RSA = {
        0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 1, 1, 5, 0
    };
    private static final byte[] EC_OID = {0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 2, 1};
    private static final List<String> ALGORITHMS = List.of("RSA", "EC");
    private static final Pattern DEK_INFO = Pattern.compile(
            "DEK-Info: (?:AES-(128|192|256)-CBC,(?=\\p{XDigit}{32})|DES-EDE3-CBC,)(\\p{XDigit}{16,32})\\b");
    private static final String UNKNOWN_ENCRYPTION =
            "the private key is encrypted in an unknown way: convert it with openssl pkcs8 -topk8";
    private static final String WRONG_PASSWORD = "wrong password of an encrypted private key, or a damaged one";

    private Keys() {}

    /**
     * A private key: PKCS#8, PKCS#1 or SEC 1, or a JWK; empty if it is none.
     *
     * @param password empty for none
     * @throws InvalidArgumentException if it is encrypted, and not with this password
     */
    static Optional<PrivateKey> privateKey(byte[] file, byte[] password) {
        Optional<Pem> pem = Pem.parse(file);
        if (pem.isPresent()) {
            return switch (pem.get().label()) {
                case "PRIVATE KEY" -> pkcs8(pem.get().der());
                case "ENCRYPTED PRIVATE KEY" -> pkcs8(decrypted(pem.get().der(), password));
                case "RSA PRIVATE KEY" -> pkcs8(wrapped(RSA, plain(pem.get(), password)));
                case "EC PRIVATE KEY" -> {
                    byte[] sec1 = plain(pem.get(), password);
                    yield pkcs8(wrapped(ecAlgorithm(sec1), sec1));
                }
                default -> Optional.empty();
            };
        }
        if (isJson(file)) {
            return jwk(file, true).map(PrivateKey.class::cast);
        }
        return pkcs8(file).or(() -> pkcs8(wrapped(RSA, file))).or(() -> pkcs8(wrapped(ecAlgorithm(file), file)));
    }

    /** Without the encryption that OpenSSL of old has put around PEM. */
    private static byte[] plain(Pem pem, byte[] password) {
        if (!pem.headers().contains("ENCRYPTED")) {
            return pem.der();
        }
        Matcher info = DEK_INFO.matcher(pem.headers());
        if (!info.find()) {
            throw new InvalidArgumentException(UNKNOWN_ENCRYPTION);
        }
        required(password);
        boolean des = info.group(1) == null;
        int length = des ? 24 : Integer.parseInt(info.group(1)) / 8;
        byte[] iv = HexFormat.of().parseHex(info.group(2));
        try {
            MessageDigest md5 = MessageDigest.getInstance("MD5");
            ByteArrayOutputStream key = new ByteArrayOutputStream();
            for (byte[] last = new byte[0]; key.size() < length; key.writeBytes(last)) {
                md5.update(last);
                md5.update(password);
                // The salt.
                md5.update(iv, 0, 8);
                last = md5.digest();
            }
            Cipher cipher = Cipher.getInstance(des ? "DESede/CBC/PKCS5Padding" : "AES/CBC/PKCS5Padding");
            cipher.init(
                    Cipher.DECRYPT_MODE,
                    new SecretKeySpec(key.toByteArray(), 0, length, des ? "DESede" : "AES"),
                    new IvParameterSpec(iv));
            return cipher.doFinal(pem.der());
        } catch (GeneralSecurityException e) {
            throw new InvalidArgumentException(WRONG_PASSWORD, e);
        }
    }

    private static void required(byte[] password) {
        if (password.length == 0) {
            throw new InvalidArgumentException("missing password of an encrypted private key");
        }
    }

    private static Optional<PrivateKey> pkcs8(byte[] der) {
        return first(algorithm -> KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der)));
    }

    private interface Attempt<T> {
        T with(String algorithm) throws GeneralSecurityException;
    }

    private static <T> Optional<T> first(Attempt<T> attempt) {
        for (String algorithm : ALGORITHMS) {
            try {
                return Optional.of(attempt.with(algorithm));
            } catch (GeneralSecurityException e) {
                // Not of this algorithm.
            }
        }
        return Optional.empty();
    }

    private static byte[] decrypted(byte[] der, byte[] password) {
        required(password);
        try {
            EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(der);
            // The parameters' name says all where the algorithm is only PBES2.
            String algorithm = info.getAlgParameters() == null
                    ? info.getAlgName()
                    : info.getAlgParameters().toString().startsWith("PBE")
                            ? info.getAlgParameters().toString()
                            : info.getAlgName();
            PBEKeySpec spec = new PBEKeySpec(StandardCharsets.UTF_8
                    .decode(java.nio.ByteBuffer.wrap(password))
                    .toString()
                    .toCharArray());
            Key key = SecretKeyFactory.getInstance(algorithm).generateSecret(spec);
            Cipher cipher = Cipher.getInstance(algorithm);
            cipher.init(Cipher.DECRYPT_MODE, key, info.getAlgParameters());
            return info.getKeySpec(cipher).getEncoded();
        } catch (IOException | NoSuchAlgorithmException e) {
            throw new InvalidArgumentException(UNKNOWN_ENCRYPTION, e);
        } catch (GeneralSecurityException e) {
            throw new InvalidArgumentException(WRONG_PASSWORD, e);
        }
    }

    /** PKCS#8 around an older form. */
    private static byte[] wrapped(byte[] algorithm, byte[] key) {
        return Der.of(Der.SEQUENCE, new byte[] {Der.INTEGER, 1, 0}, algorithm, Der.of(Der.OCTETS, key));
    }

    /** The curve, which SEC 1 has in its tag 0, copied to where PKCS#8 wants it. */
    private static byte[] ecAlgorithm(byte[] sec1) {
        for (int i = 0; i + 2 < sec1.length; i++) {
            int length = sec1[i + 1] & 0xff;
            if (sec1[i] == (byte) 0xa0
                    && sec1[i + 2] == 6
                    && length >= 2
                    && length < 32
                    && i + 2 + length <= sec1.length) {
                return Der.of(Der.SEQUENCE, EC_OID, Arrays.copyOfRange(sec1, i + 2, i + 2 + length));
            }
        }
        return new byte[0];
    }

    /** A public key: of X.509, or a JWK; empty if it is none. */
    static Optional<PublicKey> publicKey(byte[] file) {
        if (isJson(file)) {
            return jwk(file, false).map(PublicKey.class::cast);
        }
        byte[] der = Pem.parse(file).map(Pem::der).orElse(file);
        return first(algorithm -> KeyFactory.getInstance(algorithm).generatePublic(new X509EncodedKeySpec(der)));
    }

    /** An X.509 certificate; empty if it is none. */
    static Optional<X509Certificate> certificate(byte[] file) {
        byte[] der = Pem.parse(file).map(Pem::der).orElse(file);
        if (der.length == 0 || der[0] != 0x30) {
            return Optional.empty();
        }
        try {
            return Optional.of((X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der)));
        } catch (GeneralSecurityException e) {
            return Optional.empty();
        }
    }

    private static boolean isJson(byte[] file) {
        int start = 0;
        while (start < file.length && Character.isWhitespace(file[start])) {
            start++;
        }
        return start < file.length && file[start] == '{';
    }

    private static Optional<Key> jwk(byte[] file, boolean secret) {
        Map<String, Object> jwk;
        try {
            jwk = Json.object(file, "JWK");
        } catch (InvalidArgumentException e) {
            return Optional.empty();
        }
        if (jwk.containsKey("d") != secret) {
            return Optional.empty();
        }
        try {
            return switch (Json.string(jwk, "kty")) {
                case "RSA" -> {
                    KeyFactory rsa = KeyFactory.getInstance("RSA");
                    BigInteger modulus = number(jwk, "n");
                    yield Optional.of(
                            secret
                                    ? rsa.generatePrivate(new RSAPrivateKeySpec(modulus, number(jwk, "d")))
                                    : rsa.generatePublic(new RSAPublicKeySpec(modulus, number(jwk, "e"))));
                }
                case "EC" -> {
                    KeyFactory ec = KeyFactory.getInstance("EC");
                    ECParameterSpec curve = curve(Json.string(jwk, "crv"));
                    yield Optional.of(
                            secret ? ec.generatePrivate(new ECPrivateKeySpec(number(jwk, "d"), curve)) : point(jwk));
                }
                default -> Optional.empty();
            };
        } catch (GeneralSecurityException e) {
            return Optional.empty();
        }
    }

    /** The public key of an elliptic curve in a JWK. */
    static PublicKey point(Map<String, Object> jwk) throws GeneralSecurityException {
        return KeyFactory.getInstance("EC")
                .generatePublic(new ECPublicKeySpec(
                        new ECPoint(number(jwk, "x"), number(jwk, "y")), curve(Json.string(jwk, "crv"))));
    }

    private static ECParameterSpec curve(String name) throws GeneralSecurityException {
        AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
        parameters.init(new ECGenParameterSpec(
                switch (name) {
                    case "P-256" -> "secp256r1";
                    case "P-384" -> "secp384r1";
                    case "P-521" -> "secp521r1";
                    default -> throw new GeneralSecurityException("unknown curve " + name);
                }));
        return parameters.getParameterSpec(ECParameterSpec.class);
    }

    private static BigInteger number(Map<String, Object> jwk, String key) {
        return new BigInteger(1, Values.decodeUrl(Json.string(jwk, key), key));
    }
}
