package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;

/**
 * JSON Web Encryption in its JSON forms, for one recipient or many, with the algorithms that ocicrypt takes. All cryptography is the
 * JDK's; a library would be loaded at each start of a program that runs for a tenth of a second.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc7516">RFC 7516</a>
 */
final class Jwe {

    private static final int GCM_IV = 12;
    private static final int GCM_TAG = 16;
    private static final int CEK = 32;
    private static final int MAX_RECIPIENTS = 1000;

    private Jwe() {}

    /** @throws GeneralSecurityException if a key cannot be used */
    static byte[] encrypt(byte[] plain, List<PublicKey> recipients) throws GeneralSecurityException {
        SecureRandom random = new SecureRandom();
        byte[] cek = new byte[CEK];
        byte[] iv = new byte[GCM_IV];
        random.nextBytes(cek);
        random.nextBytes(iv);
        List<Object> wrapped = new ArrayList<>();
        for (PublicKey recipient : recipients) {
            wrapped.add(wrap(cek, recipient));
        }
        String header = Values.encodeUrl(Json.bytes(Map.of("enc", "A256GCM")));
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(cek, "AES"), new GCMParameterSpec(8 * GCM_TAG, iv));
        cipher.updateAAD(header.getBytes(StandardCharsets.US_ASCII));
        byte[] sealed = cipher.doFinal(plain);
        Map<String, Object> jwe = new LinkedHashMap<>();
        jwe.put("protected", header);
        jwe.put("recipients", wrapped);
        jwe.put("iv", Values.encodeUrl(iv));
        jwe.put("ciphertext", Values.encodeUrl(Arrays.copyOf(sealed, sealed.length - GCM_TAG)));
        jwe.put("tag", Values.encodeUrl(Arrays.copyOfRange(sealed, sealed.length - GCM_TAG, sealed.length)));
        return Json.bytes(jwe);
    }

    private static Map<String, Object> wrap(byte[] cek, PublicKey recipient) throws GeneralSecurityException {
        if (recipient instanceof ECPublicKey ec) {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(ec.getParams());
            KeyPair ephemeral = generator.generateKeyPair();
            byte[] key = derive(agree(ephemeral.getPrivate(), ec), "ECDH-ES+A256KW", 32, new byte[0], new byte[0]);
            Cipher cipher = Cipher.getInstance("AESWrap");
            cipher.init(Cipher.WRAP_MODE, new SecretKeySpec(key, "AES"));
            return Map.of(
                    "header", Map.of("alg", "ECDH-ES+A256KW", "epk", jwk((ECPublicKey) ephemeral.getPublic())),
                    "encrypted_key", Values.encodeUrl(cipher.wrap(new SecretKeySpec(cek, "AES"))));
        }
        if (!(recipient instanceof RSAPublicKey)) {
            throw new GeneralSecurityException(
                    "a key of %s cannot be a recipient's".formatted(recipient.getAlgorithm()));
        }
        Cipher cipher = oaep("RSA-OAEP", Cipher.ENCRYPT_MODE, recipient);
        return Map.of("header", Map.of("alg", "RSA-OAEP"), "encrypted_key", Values.encodeUrl(cipher.doFinal(cek)));
    }

    private static Map<String, Object> jwk(ECPublicKey key) {
        int bytes = (key.getParams().getCurve().getField().getFieldSize() + 7) / 8;
        return Map.of(
                "kty",
                "EC",
                "crv",
                "P-" + key.getParams().getCurve().getField().getFieldSize(),
                "x",
                Values.encodeUrl(fixed(key.getW().getAffineX(), bytes)),
                "y",
                Values.encodeUrl(fixed(key.getW().getAffineY(), bytes)));
    }

    private static byte[] fixed(BigInteger number, int length) {
        byte[] bytes = number.toByteArray();
        byte[] fixed = new byte[length];
        int count = Math.min(bytes.length, length);
        System.arraycopy(bytes, bytes.length - count, fixed, length - count, count);
        return fixed;
    }

    /**
     * Empty if the key is no recipient's.
     *
     * @throws InvalidArgumentException if it is no JWE, or of an algorithm that is none of ocicrypt's
     */
    static Optional<byte[]> decrypt(byte[] json, PrivateKey key) {
        Map<String, Object> jwe = Json.object(json, "JWE");
        String protectedText = Json.string(jwe, "protected");
        Map<String, Object> shared = new HashMap<>();
        if (!protectedText.isEmpty()) {
            shared.putAll(Json.object(Values.decodeUrl(protectedText, "protected"), "the header of a JWE"));
        }
        shared.putAll(Json.object(jwe, "unprotected"));
        // With one recipient, its fields are the whole's.
        List<Map<String, Object>> recipients =
                jwe.containsKey("recipients") ? Json.objects(jwe, "recipients") : List.of(jwe);
        if (recipients.size() > MAX_RECIPIENTS) {
            throw new InvalidArgumentException(
                    "a JWE has %d recipients, the limit is %d".formatted(recipients.size(), MAX_RECIPIENTS));
        }
        String aad = Json.string(jwe, "aad");
        byte[] authenticated =
                (aad.isEmpty() ? protectedText : protectedText + "." + aad).getBytes(StandardCharsets.US_ASCII);
        for (Map<String, Object> recipient : recipients) {
            Map<String, Object> header = new HashMap<>(shared);
            header.putAll(Json.object(recipient, "header"));
            try {
                byte[] cek =
                        unwrap(header, Values.decodeUrl(Json.string(recipient, "encrypted_key"), "encrypted_key"), key);
                return Optional.of(open(Json.string(header, "enc"), cek, jwe, authenticated));
            } catch (GeneralSecurityException e) {
                // Somebody else's.
            }
        }
        return Optional.empty();
    }

    private static byte[] unwrap(Map<String, Object> header, byte[] encryptedKey, PrivateKey key)
            throws GeneralSecurityException {
        String algorithm = Json.string(header, "alg");
        return switch (algorithm) {
            case "RSA-OAEP", "RSA-OAEP-256" -> {
                if (!(key instanceof RSAPrivateKey)) {
                    throw new GeneralSecurityException("not an RSA key");
                }
                yield oaep(algorithm, Cipher.DECRYPT_MODE, key).doFinal(encryptedKey);
            }
            case "ECDH-ES+A128KW" -> unwrapAgreed(header, algorithm, 16, encryptedKey, key);
            case "ECDH-ES+A192KW" -> unwrapAgreed(header, algorithm, 24, encryptedKey, key);
            case "ECDH-ES+A256KW" -> unwrapAgreed(header, algorithm, 32, encryptedKey, key);
            default -> throw new GeneralSecurityException("key algorithm " + algorithm);
        };
    }

    private static byte[] unwrapAgreed(
            Map<String, Object> header, String algorithm, int length, byte[] encryptedKey, PrivateKey key)
            throws GeneralSecurityException {
        if (!(key instanceof ECPrivateKey)) {
            throw new GeneralSecurityException("not a key of an elliptic curve");
        }
        byte[] secret = agree(key, Keys.point(Json.object(header, "epk")));
        byte[] wrapping = derive(
                secret,
                algorithm,
                length,
                Values.decodeUrl(Json.string(header, "apu"), "apu"),
                Values.decodeUrl(Json.string(header, "apv"), "apv"));
        Cipher cipher = Cipher.getInstance("AESWrap");
        cipher.init(Cipher.UNWRAP_MODE, new SecretKeySpec(wrapping, "AES"));
        return ((SecretKey) cipher.unwrap(encryptedKey, "AES", Cipher.SECRET_KEY)).getEncoded();
    }

    private static Cipher oaep(String algorithm, int mode, java.security.Key key) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPPadding");
        boolean sha256 = algorithm.equals("RSA-OAEP-256");
        cipher.init(
                mode,
                key,
                new OAEPParameterSpec(
                        sha256 ? "SHA-256" : "SHA-1",
                        "MGF1",
                        sha256 ? MGF1ParameterSpec.SHA256 : MGF1ParameterSpec.SHA1,
                        PSource.PSpecified.DEFAULT));
        return cipher;
    }

    static byte[] agree(PrivateKey own, PublicKey theirs) throws GeneralSecurityException {
        KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
        agreement.init(own);
        agreement.doPhase(theirs, true);
        return agreement.generateSecret();
    }

    /** Concat KDF of NIST SP 800-56A with SHA-256, of which one round is enough: RFC 7518, section 4.6.2. */
    static byte[] derive(byte[] secret, String algorithm, int length, byte[] apu, byte[] apv)
            throws GeneralSecurityException {
        ByteArrayOutputStream info = new ByteArrayOutputStream();
        info.writeBytes(new byte[] {0, 0, 0, 1});
        info.writeBytes(secret);
        for (byte[] part : List.of(algorithm.getBytes(StandardCharsets.US_ASCII), apu, apv)) {
            info.writeBytes(ByteBuffer.allocate(4).putInt(part.length).array());
            info.writeBytes(part);
        }
        info.writeBytes(ByteBuffer.allocate(4).putInt(8 * length).array());
        return Arrays.copyOf(MessageDigest.getInstance("SHA-256").digest(info.toByteArray()), length);
    }

    private static byte[] open(String encryption, byte[] cek, Map<String, Object> jwe, byte[] authenticated)
            throws GeneralSecurityException {
        byte[] iv = Values.decodeUrl(Json.string(jwe, "iv"), "iv");
        byte[] ciphertext = Values.decodeUrl(Json.string(jwe, "ciphertext"), "ciphertext");
        byte[] tag = Values.decodeUrl(Json.string(jwe, "tag"), "tag");
        return switch (encryption) {
            case "A128GCM", "A192GCM", "A256GCM" -> {
                if (iv.length != GCM_IV || tag.length != GCM_TAG) {
                    throw new InvalidArgumentException("a JWE has a nonce or a tag of the wrong length");
                }
                Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
                cipher.init(Cipher.DECRYPT_MODE, Values.key(cek), new GCMParameterSpec(8 * GCM_TAG, iv));
                cipher.updateAAD(authenticated);
                byte[] sealed = Arrays.copyOf(ciphertext, ciphertext.length + tag.length);
                System.arraycopy(tag, 0, sealed, ciphertext.length, tag.length);
                yield cipher.doFinal(sealed);
            }
            case "A128CBC-HS256" -> openCbc("HmacSHA256", 16, cek, iv, ciphertext, tag, authenticated);
            case "A192CBC-HS384" -> openCbc("HmacSHA384", 24, cek, iv, ciphertext, tag, authenticated);
            case "A256CBC-HS512" -> openCbc("HmacSHA512", 32, cek, iv, ciphertext, tag, authenticated);
            default ->
                throw new InvalidArgumentException(
                        "a JWE is encrypted with \"%s\", which is unknown".formatted(encryption));
        };
    }

    /** RFC 7518, section 5.2. */
    private static byte[] openCbc(
            String hmac, int half, byte[] cek, byte[] iv, byte[] ciphertext, byte[] tag, byte[] authenticated)
            throws GeneralSecurityException {
        if (cek.length != 2 * half) {
            throw new GeneralSecurityException("a key of the wrong length");
        }
        Mac mac = Mac.getInstance(hmac);
        mac.init(new SecretKeySpec(cek, 0, half, hmac));
        mac.update(authenticated);
        mac.update(iv);
        mac.update(ciphertext);
        mac.update(ByteBuffer.allocate(8).putLong(8L * authenticated.length).array());
        if (!MessageDigest.isEqual(Arrays.copyOf(mac.doFinal(), half), tag)) {
            throw new GeneralSecurityException("a wrong tag");
        }
        Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
        cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(cek, half, half, "AES"), new IvParameterSpec(iv));
        return cipher.doFinal(ciphertext);
    }
}
