package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.bouncycastle.openpgp.PGPCompressedData;
import org.bouncycastle.openpgp.PGPEncryptedData;
import org.bouncycastle.openpgp.PGPEncryptedDataGenerator;
import org.bouncycastle.openpgp.PGPEncryptedDataList;
import org.bouncycastle.openpgp.PGPException;
import org.bouncycastle.openpgp.PGPKeyPair;
import org.bouncycastle.openpgp.PGPLiteralData;
import org.bouncycastle.openpgp.PGPLiteralDataGenerator;
import org.bouncycastle.openpgp.PGPPrivateKey;
import org.bouncycastle.openpgp.PGPPublicKey;
import org.bouncycastle.openpgp.PGPPublicKeyEncryptedData;
import org.bouncycastle.openpgp.PGPPublicKeyRing;
import org.bouncycastle.openpgp.PGPPublicKeyRingCollection;
import org.bouncycastle.openpgp.PGPSecretKey;
import org.bouncycastle.openpgp.PGPSecretKeyRingCollection;
import org.bouncycastle.openpgp.PGPUtil;
import org.bouncycastle.openpgp.bc.BcPGPObjectFactory;
import org.bouncycastle.openpgp.bc.BcPGPPublicKeyRingCollection;
import org.bouncycastle.openpgp.bc.BcPGPSecretKeyRingCollection;
import org.bouncycastle.openpgp.operator.bc.BcPBESecretKeyDecryptorBuilder;
import org.bouncycastle.openpgp.operator.bc.BcPGPDataEncryptorBuilder;
import org.bouncycastle.openpgp.operator.bc.BcPGPDigestCalculatorProvider;
import org.bouncycastle.openpgp.operator.bc.BcPublicKeyDataDecryptorFactory;
import org.bouncycastle.openpgp.operator.bc.BcPublicKeyKeyEncryptionMethodGenerator;

/** OpenPGP messages to the holders of keys. */
final class Pgp {

    /** Bytes of what is wrapped, which is a key and little more. */
    private static final int MAX_PLAIN = 1 << 20;

    private Pgp() {}

    /** Whether it is a ring of secret keys. */
    static boolean isSecretKeyRing(byte[] file) {
        try {
            return secretKeys(file).size() > 0;
        } catch (IOException | PGPException | RuntimeException e) {
            return false;
        }
    }

    private static PGPSecretKeyRingCollection secretKeys(byte[] file) throws IOException, PGPException {
        return new BcPGPSecretKeyRingCollection(PGPUtil.getDecoderStream(new ByteArrayInputStream(file)));
    }

    /**
     * @param ring public keys
     * @param recipients parts of user ids: a name or an address
     * @throws InvalidArgumentException if the ring has no key for one of them
     */
    static byte[] encrypt(byte[] plain, byte[] ring, List<String> recipients) throws IOException {
        try {
            PGPPublicKeyRingCollection keys =
                    new BcPGPPublicKeyRingCollection(PGPUtil.getDecoderStream(new ByteArrayInputStream(ring)));
            PGPEncryptedDataGenerator generator =
                    new PGPEncryptedDataGenerator(new BcPGPDataEncryptorBuilder(PGPEncryptedData.AES_256)
                            .setWithIntegrityPacket(true)
                            .setSecureRandom(new SecureRandom()));
            for (String recipient : recipients) {
                List<PGPPublicKey> found = encryptionKeys(keys, recipient);
                if (found.isEmpty()) {
                    throw new InvalidArgumentException(
                            "the ring of public keys has none of \"%s\" that can encrypt".formatted(recipient));
                }
                found.forEach(key -> generator.addMethod(new BcPublicKeyKeyEncryptionMethodGenerator(key)));
            }
            ByteArrayOutputStream message = new ByteArrayOutputStream();
            ByteArrayOutputStream literal = new ByteArrayOutputStream();
            try (OutputStream out = new PGPLiteralDataGenerator()
                    .open(literal, PGPLiteralData.BINARY, "", plain.length, PGPLiteralData.NOW)) {
                out.write(plain);
            }
            try (OutputStream out = generator.open(message, literal.size())) {
                literal.writeTo(out);
            }
            return message.toByteArray();
        } catch (PGPException e) {
            throw new InvalidArgumentException("PGP: " + e.getMessage(), e);
        }
    }

    private static List<PGPPublicKey> encryptionKeys(PGPPublicKeyRingCollection keys, String recipient) {
        List<PGPPublicKey> found = new ArrayList<>();
        for (PGPPublicKeyRing ring : keys) {
            if (!isOf(ring, recipient)) {
                continue;
            }
            // A key of its own for encryption, if there is one, is behind the main key.
            PGPPublicKey last = null;
            for (PGPPublicKey key : ring) {
                if (key.isEncryptionKey() && !key.hasRevocation()) {
                    last = key;
                }
            }
            if (last != null) {
                found.add(last);
            }
        }
        return found;
    }

    /** As ocicrypt: the name of a user id, or its address, has to be the recipient's and not only contain it. */
    private static boolean isOf(PGPPublicKeyRing ring, String recipient) {
        for (Iterator<String> ids = ring.getPublicKey().getUserIDs(); ids.hasNext(); ) {
            String id = ids.next();
            int open = id.lastIndexOf('<');
            int end = id.lastIndexOf('>');
            String address = open >= 0 && end > open ? id.substring(open + 1, end) : id;
            String name = open > 0 ? id.substring(0, open).strip() : id;
            if (recipient.equals(address) || recipient.equals(name)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Empty if none of the keys is a recipient's.
     *
     * @param password empty for none
     */
    static Optional<byte[]> decrypt(byte[] message, byte[] ring, byte[] password) throws IOException {
        try {
            PGPSecretKeyRingCollection keys = secretKeys(ring);
            Object first = new BcPGPObjectFactory(message).nextObject();
            if (!(first instanceof PGPEncryptedDataList list)) {
                throw new InvalidArgumentException("the wrapped key is no OpenPGP message");
            }
            for (PGPEncryptedData data : list) {
                if (!(data instanceof PGPPublicKeyEncryptedData encrypted)) {
                    continue;
                }
                PGPSecretKey secret =
                        keys.getSecretKey(encrypted.getKeyIdentifier().getKeyId());
                if (secret == null) {
                    continue;
                }
                PGPPrivateKey key =
                        secret.extractPrivateKey(new BcPBESecretKeyDecryptorBuilder(new BcPGPDigestCalculatorProvider())
                                .build(new String(password, StandardCharsets.UTF_8).toCharArray()));
                if (key == null) {
                    continue;
                }
                try (InputStream plain = encrypted.getDataStream(
                        new BcPublicKeyDataDecryptorFactory(new PGPKeyPair(secret.getPublicKey(), key)))) {
                    byte[] opened = literal(plain);
                    if (encrypted.isIntegrityProtected() && !encrypted.verify()) {
                        throw new InvalidArgumentException("an OpenPGP message was changed: its code is wrong");
                    }
                    return Optional.of(opened);
                }
            }
            return Optional.empty();
        } catch (PGPException e) {
            throw new InvalidArgumentException("PGP: " + e.getMessage(), e);
        }
    }

    private static byte[] literal(InputStream plain) throws IOException, PGPException {
        Object object = new BcPGPObjectFactory(plain).nextObject();
        if (object instanceof PGPCompressedData compressed) {
            object = new BcPGPObjectFactory(compressed.getDataStream()).nextObject();
        }
        if (!(object instanceof PGPLiteralData data)) {
            throw new InvalidArgumentException("an OpenPGP message holds no data");
        }
        byte[] bytes = data.getInputStream().readNBytes(MAX_PLAIN + 1);
        if (bytes.length > MAX_PLAIN) {
            throw new InvalidArgumentException("an OpenPGP message is too large for a key");
        }
        // What is behind it belongs to the code that is checked.
        plain.transferTo(OutputStream.nullOutputStream());
        return bytes;
    }
}
