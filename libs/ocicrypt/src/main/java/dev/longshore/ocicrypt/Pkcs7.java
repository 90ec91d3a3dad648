package dev.longshore.ocicrypt;

import dev.longshore.ocicrypt.Der.Element;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * PKCS#7 enveloped data as the library that ocicrypt uses has it: RSA for the key, and AES-GCM, with the tag behind the ciphertext, for
 * the content. Newer CMS has a type of its own for that, which ocicrypt does not read. Two things of that library are its own, and a
 * general reader of ASN.1 refuses the first: the parameters of AES-GCM are a sequence in an element that has a sequence's number but
 * says that there are no elements in it, and the nonce in there has the tag 4 of its context.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc5652#section-6">RFC 5652, section 6</a>
 */
final class Pkcs7 {

    private static final String ENVELOPED = "2a864886f70d010703";
    private static final String DATA = "2a864886f70d010701";
    private static final String RSA = "2a864886f70d010101";
    private static final String AES_128_CBC = "608648016503040102";
    private static final String AES_128_GCM = "608648016503040106";
    private static final String AES_256_CBC = "60864801650304012a";
    private static final String AES_256_GCM = "60864801650304012e";

    /** A sequence, but for the bit that says that there are elements in it. */
    private static final int OPAQUE_SEQUENCE = 0x10;

    /** Tags 0 and 4 of a context, without elements in them, and 0 with. */
    private static final int CONTEXT_0 = 0x80;

    private static final int CONTEXT_4 = 0x84;
    private static final int CONTEXT_0_OF = 0xa0;

    private static final int GCM_TAG = 16;
    private static final int GCM_IV = 12;
    private static final int CEK = 16;
    private static final int MAX_RECIPIENTS = 1000;
    private static final byte[] ZERO = {Der.INTEGER, 1, 0};

    private Pkcs7() {}

    /** @throws GeneralSecurityException if a certificate cannot be used */
    static byte[] encrypt(byte[] plain, List<X509Certificate> recipients) throws GeneralSecurityException {
        SecureRandom random = new SecureRandom();
        byte[] cek = new byte[CEK];
        byte[] iv = new byte[GCM_IV];
        random.nextBytes(cek);
        random.nextBytes(iv);
        Cipher content = Cipher.getInstance("AES/GCM/NoPadding");
        content.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(cek, "AES"), new GCMParameterSpec(8 * GCM_TAG, iv));
        ByteArrayOutputStream infos = new ByteArrayOutputStream();
        for (X509Certificate recipient : recipients) {
            infos.writeBytes(transport(cek, recipient));
        }
        byte[] parameters = Der.of(
                OPAQUE_SEQUENCE,
                Der.of(Der.SEQUENCE, Der.of(CONTEXT_4, iv), Der.of(Der.INTEGER, new byte[] {GCM_TAG})));
        byte[] encrypted = Der.of(
                Der.SEQUENCE,
                oid(DATA),
                Der.of(Der.SEQUENCE, oid(AES_128_GCM), parameters),
                Der.of(CONTEXT_0_OF, Der.of(Der.OCTETS, content.doFinal(plain))));
        byte[] enveloped = Der.of(Der.SEQUENCE, ZERO, Der.of(Der.SET, infos.toByteArray()), encrypted);
        return Der.of(Der.SEQUENCE, oid(ENVELOPED), Der.of(CONTEXT_0_OF, enveloped));
    }

    private static byte[] oid(String hex) {
        return Der.of(Der.OID, HexFormat.of().parseHex(hex));
    }

    private static byte[] transport(byte[] cek, X509Certificate recipient) throws GeneralSecurityException {
        if (!(recipient.getPublicKey() instanceof RSAPublicKey)) {
            throw new GeneralSecurityException("PKCS#7 is for certificates of RSA keys, and that of %s has one of %s"
                    .formatted(
                            recipient.getSubjectX500Principal(),
                            recipient.getPublicKey().getAlgorithm()));
        }
        Cipher key = Cipher.getInstance("RSA/ECB/PKCS1Padding");
        key.init(Cipher.ENCRYPT_MODE, recipient.getPublicKey());
        return Der.of(
                Der.SEQUENCE,
                ZERO,
                Der.of(
                        Der.SEQUENCE,
                        issuer(recipient),
                        Der.of(Der.INTEGER, recipient.getSerialNumber().toByteArray())),
                Der.of(Der.SEQUENCE, oid(RSA), new byte[] {Der.NULL, 0}),
                Der.of(Der.OCTETS, key.doFinal(cek)));
    }

    /** Its bytes, which readers compare; made anew from what they say they may be others. */
    private static byte[] issuer(X509Certificate certificate) throws GeneralSecurityException {
        Der signed = new Der(certificate.getTBSCertificate()).next(Der.SEQUENCE).inside();
        // The version, which is not there in the first one, comes before the serial number.
        if (signed.next().tag() == CONTEXT_0_OF) {
            signed.next(Der.INTEGER);
        }
        signed.next(Der.SEQUENCE);
        return signed.next(Der.SEQUENCE).whole();
    }

    /**
     * Empty if it is not for that certificate, or the key is not the certificate's.
     *
     * @throws InvalidArgumentException if it is no enveloped data, or its content is encrypted in an unknown way
     */
    static Optional<byte[]> decrypt(byte[] der, X509Certificate certificate, PrivateKey key) {
        Der info = new Der(der).next(Der.SEQUENCE).inside();
        if (!name(info.next(Der.OID)).equals(ENVELOPED)) {
            throw new InvalidArgumentException("the wrapped key is no PKCS#7 enveloped data");
        }
        Der enveloped = info.next(CONTEXT_0_OF).inside().next(Der.SEQUENCE).inside();
        enveloped.next(Der.INTEGER);
        Der recipients = enveloped.next(Der.SET).inside();
        Der content = enveloped.next(Der.SEQUENCE).inside();
        if (!(key instanceof RSAPrivateKey)) {
            return Optional.empty();
        }
        try {
            byte[] issuer = issuer(certificate);
            for (int count = 0; recipients.hasMore(); count++) {
                if (count == MAX_RECIPIENTS) {
                    throw new InvalidArgumentException(
                            "a wrapped key is for more than %d recipients".formatted(MAX_RECIPIENTS));
                }
                Element recipient = recipients.next();
                if (recipient.tag() != Der.SEQUENCE) {
                    // Of another kind than a transported key.
                    continue;
                }
                Der fields = recipient.inside();
                fields.next(Der.INTEGER);
                Der reader = fields.next(Der.SEQUENCE).inside();
                boolean wanted = Arrays.equals(reader.next(Der.SEQUENCE).whole(), issuer)
                        && serial(reader).equals(certificate.getSerialNumber());
                fields.next(Der.SEQUENCE);
                byte[] encryptedKey = fields.next(Der.OCTETS).content();
                if (wanted) {
                    Cipher cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding");
                    cipher.init(Cipher.DECRYPT_MODE, key);
                    return Optional.of(open(content, Values.key(cipher.doFinal(encryptedKey))));
                }
            }
            return Optional.empty();
        } catch (GeneralSecurityException e) {
            return Optional.empty();
        }
    }

    private static BigInteger serial(Der reader) {
        byte[] number = reader.next(Der.INTEGER).content();
        return number.length == 0 ? BigInteger.ZERO : new BigInteger(number);
    }

    private static String name(Element oid) {
        return HexFormat.of().formatHex(oid.content());
    }

    private static byte[] open(Der content, SecretKey cek) throws GeneralSecurityException {
        content.next(Der.OID);
        Der algorithm = content.next(Der.SEQUENCE).inside();
        String name = name(algorithm.next(Der.OID));
        Element parameters = algorithm.next();
        byte[] ciphertext = octets(content.next());
        return switch (name) {
            case AES_128_GCM, AES_256_GCM -> {
                Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
                cipher.init(Cipher.DECRYPT_MODE, cek, new GCMParameterSpec(8 * GCM_TAG, nonce(parameters)));
                yield cipher.doFinal(ciphertext);
            }
            case AES_128_CBC, AES_256_CBC -> {
                Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
                cipher.init(Cipher.DECRYPT_MODE, cek, new IvParameterSpec(parameters.content()));
                yield cipher.doFinal(ciphertext);
            }
            default ->
                throw new InvalidArgumentException(
                        "the content algorithm of PKCS#7 data, OID %s in hexadecimal, is unknown".formatted(name));
        };
    }

    private static byte[] nonce(Element parameters) {
        Der inside = parameters.inside();
        Element first = inside.next();
        if (first.tag() == Der.SEQUENCE) {
            inside = first.inside();
            first = inside.next();
        }
        byte[] length = inside.next(Der.INTEGER).content();
        if ((first.tag() != CONTEXT_4 && first.tag() != Der.OCTETS)
                || first.content().length != GCM_IV
                || !Arrays.equals(length, new byte[] {GCM_TAG})) {
            throw new InvalidArgumentException("PKCS#7 data with a nonce or a tag of the wrong length");
        }
        return first.content();
    }

    /** Bytes in one piece, or in pieces that are elements of their own. */
    private static byte[] octets(Element content) {
        if (content.tag() == CONTEXT_0) {
            return content.content();
        }
        if (content.tag() != CONTEXT_0_OF) {
            throw new InvalidArgumentException("PKCS#7 data without content");
        }
        ByteArrayOutputStream octets = new ByteArrayOutputStream();
        for (Der pieces = content.inside(); pieces.hasMore(); ) {
            octets.writeBytes(pieces.next(Der.OCTETS).content());
        }
        return octets.toByteArray();
    }
}
