package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.DataLossException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** AES-256 in counter mode, and HMAC-SHA256 over the ciphertext with the same key. For one stream and one thread. */
public final class LayerCipher {

    private static final int CHUNK = 256 << 10;

    private final Cipher cipher;
    private final Mac mac;
    private final boolean encrypting;

    private LayerCipher(LayerKey key, int mode) {
        encrypting = mode == Cipher.ENCRYPT_MODE;
        try {
            cipher = Cipher.getInstance("AES/CTR/NoPadding");
            cipher.init(mode, new SecretKeySpec(key.key(), "AES"), new IvParameterSpec(key.nonce()));
            mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key.key(), "HmacSHA256"));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM lacks a cipher that every JVM has", e);
        }
    }

    /** What happens to encrypted bytes as they pass. */
    private int pass(byte[] in, int length, byte[] out) {
        try {
            if (encrypting) {
                int count = cipher.update(in, 0, length, out, 0);
                mac.update(out, 0, count);
                return count;
            }
            mac.update(in, 0, length);
            return cipher.update(in, 0, length, out, 0);
        } catch (ShortBufferException e) {
            throw new IllegalStateException("a stream cipher has made more of less", e);
        }
    }

    /**
     * Encrypts all of a stream.
     *
     * @return what its readers check it against
     */
    public static LayerSeal encrypt(LayerKey key, InputStream plain, OutputStream encrypted) throws IOException {
        LayerCipher cipher = new LayerCipher(key, Cipher.ENCRYPT_MODE);
        cipher.copy(plain, encrypted);
        return new LayerSeal(cipher.mac.doFinal(), new byte[0]);
    }

    /**
     * Decrypts all of a stream. What was written is to be believed only after this has returned.
     *
     * @throws DataLossException if it is not what was encrypted
     */
    public static void decrypt(LayerKey key, LayerSeal seal, InputStream encrypted, OutputStream plain)
            throws IOException {
        LayerCipher cipher = new LayerCipher(key, Cipher.DECRYPT_MODE);
        cipher.copy(encrypted, plain);
        if (!MessageDigest.isEqual(cipher.mac.doFinal(), seal.hmac())) {
            throw new DataLossException(
                    "the layer is not what was encrypted: its authentication code is wrong; nothing of it must be used");
        }
    }

    private void copy(InputStream from, OutputStream to) throws IOException {
        byte[] in = new byte[CHUNK];
        byte[] out = new byte[CHUNK];
        for (int count = from.readNBytes(in, 0, CHUNK); count > 0; count = from.readNBytes(in, 0, CHUNK)) {
            to.write(out, 0, pass(in, count, out));
        }
    }
}
