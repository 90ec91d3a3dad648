package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.util.List;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.cms.EncryptedContentInfo;
import org.bouncycastle.asn1.cms.EnvelopedData;
import org.bouncycastle.asn1.cms.GCMParameters;
import org.bouncycastle.asn1.cms.IssuerAndSerialNumber;
import org.bouncycastle.asn1.cms.KeyTransRecipientInfo;
import org.bouncycastle.asn1.cms.RecipientIdentifier;
import org.bouncycastle.asn1.cms.RecipientInfo;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;

/**
 * PKCS#7 enveloped data as the library that ocicrypt uses has it: RSA for the key, and AES-128-GCM, with the tag behind the
 * ciphertext, for the content. (Newer CMS has a type of its own for that, which ocicrypt does not read.)
 */
final class Pkcs7 {

    private static final int GCM_TAG = 16;
    private static final int GCM_IV = 12;
    private static final int CEK = 16;
    private static final int MAX_RECIPIENTS = 1000;

    private Pkcs7() {}

    static byte[] encrypt(byte[] plain, List<X509Certificate> recipients) throws GeneralSecurityException, IOException {
        SecureRandom random = new SecureRandom();
        byte[] cek = new byte[CEK];
        byte[] iv = new byte[GCM_IV];
        random.nextBytes(cek);
        random.nextBytes(iv);
        Cipher content = Cipher.getInstance("AES/GCM/NoPadding");
        content.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(cek, "AES"), new GCMParameterSpec(8 * GCM_TAG, iv));
        ASN1EncodableVector infos = new ASN1EncodableVector();
        for (X509Certificate recipient : recipients) {
            if (!(recipient.getPublicKey() instanceof RSAPublicKey)) {
                throw new GeneralSecurityException(
                        "PKCS#7 is for certificates of RSA keys, and that of %s has one of %s"
                                .formatted(
                                        recipient.getSubjectX500Principal(),
                                        recipient.getPublicKey().getAlgorithm()));
            }
            Cipher key = Cipher.getInstance("RSA/ECB/PKCS1Padding");
            key.init(Cipher.ENCRYPT_MODE, recipient.getPublicKey());
            infos.add(new RecipientInfo(new KeyTransRecipientInfo(
                    new RecipientIdentifier(new IssuerAndSerialNumber(issuer(recipient), recipient.getSerialNumber())),
                    new AlgorithmIdentifier(PKCSObjectIdentifiers.rsaEncryption, DERNull.INSTANCE),
                    new DEROctetString(key.doFinal(cek)))));
        }
        AlgorithmIdentifier algorithm =
                new AlgorithmIdentifier(NISTObjectIdentifiers.id_aes128_GCM, new GCMParameters(iv, GCM_TAG));
        EncryptedContentInfo encrypted = new EncryptedContentInfo(
                PKCSObjectIdentifiers.data, algorithm, new DEROctetString(content.doFinal(plain)));
        EnvelopedData enveloped = new EnvelopedData(null, new DERSet(infos), encrypted, (DERSet) null);
        return new ContentInfo(PKCSObjectIdentifiers.envelopedData, enveloped).getEncoded("DER");
    }

    private static X500Name issuer(X509Certificate certificate) {
        return X500Name.getInstance(certificate.getIssuerX500Principal().getEncoded());
    }

    /** Empty if it is not for that certificate, or the key is not the certificate's. */
    static Optional<byte[]> decrypt(byte[] der, X509Certificate certificate, PrivateKey key) {
        try {
            ContentInfo info = ContentInfo.getInstance(der);
            if (!info.getContentType().equals(PKCSObjectIdentifiers.envelopedData)) {
                throw new InvalidArgumentException("the wrapped key is no PKCS#7 enveloped data");
            }
            EnvelopedData enveloped = EnvelopedData.getInstance(info.getContent());
            if (enveloped.getRecipientInfos().size() > MAX_RECIPIENTS) {
                throw new InvalidArgumentException(
                        "a wrapped key is for more than %d recipients".formatted(MAX_RECIPIENTS));
            }
            IssuerAndSerialNumber wanted =
                    new IssuerAndSerialNumber(issuer(certificate), certificate.getSerialNumber());
            for (int i = 0; i < enveloped.getRecipientInfos().size(); i++) {
                RecipientInfo recipient =
                        RecipientInfo.getInstance(enveloped.getRecipientInfos().getObjectAt(i));
                if (recipient.getInfo() instanceof KeyTransRecipientInfo transported
                        && wanted.equals(transported.getRecipientIdentifier().getId())
                        && key instanceof RSAPrivateKey) {
                    Cipher cipher = Cipher.getInstance("RSA/ECB/PKCS1Padding");
                    cipher.init(Cipher.DECRYPT_MODE, key);
                    byte[] cek = cipher.doFinal(transported.getEncryptedKey().getOctets());
                    return Optional.of(open(enveloped.getEncryptedContentInfo(), cek));
                }
            }
            return Optional.empty();
        } catch (GeneralSecurityException e) {
            return Optional.empty();
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw new InvalidArgumentException("the wrapped key is no PKCS#7: " + e.getMessage(), e);
        }
    }

    private static byte[] open(EncryptedContentInfo content, byte[] cek) throws GeneralSecurityException {
        AlgorithmIdentifier algorithm = content.getContentEncryptionAlgorithm();
        ASN1ObjectIdentifier name = algorithm.getAlgorithm();
        byte[] ciphertext = content.getEncryptedContent().getOctets();
        if (name.equals(NISTObjectIdentifiers.id_aes128_GCM) || name.equals(NISTObjectIdentifiers.id_aes256_GCM)) {
            GCMParameters parameters = GCMParameters.getInstance(algorithm.getParameters());
            if (parameters.getIcvLen() != GCM_TAG) {
                throw new GeneralSecurityException("a tag of %d bytes".formatted(parameters.getIcvLen()));
            }
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            cipher.init(
                    Cipher.DECRYPT_MODE,
                    new SecretKeySpec(cek, "AES"),
                    new GCMParameterSpec(8 * GCM_TAG, parameters.getNonce()));
            return cipher.doFinal(ciphertext);
        }
        if (name.equals(NISTObjectIdentifiers.id_aes128_CBC) || name.equals(NISTObjectIdentifiers.id_aes256_CBC)) {
            Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
            cipher.init(
                    Cipher.DECRYPT_MODE,
                    new SecretKeySpec(cek, "AES"),
                    new IvParameterSpec(ASN1OctetString.getInstance(algorithm.getParameters())
                            .getOctets()));
            return cipher.doFinal(ciphertext);
        }
        throw new GeneralSecurityException("content algorithm " + name);
    }
}
