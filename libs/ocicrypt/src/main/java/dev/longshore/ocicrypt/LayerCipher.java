package dev.longshore.ocicrypt;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.linux.Libcrypto;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * AES-256 in counter mode, and HMAC-SHA256 over the ciphertext with the same key. OpenSSL's library does it at full speed from the first
 * byte on. The JDK does it where that is missing, and for short layers, which are done before the library would be loaded.
 */
public final class LayerCipher {

    private static final int CHUNK = 256 << 10;

    /** Bytes of a block of SHA-256. */
    private static final int BLOCK = 64;

    private final LayerKey key;
    private final boolean encrypting;

    private LayerCipher(LayerKey key, boolean encrypting) {
        this.key = key;
        this.encrypting = encrypting;
    }

    /**
     * Encrypts all of a stream.
     *
     * @return what its readers check it against
     */
    public static LayerSeal encrypt(LayerKey key, InputStream plain, OutputStream encrypted) throws IOException {
        return new LayerSeal(new LayerCipher(key, true).copy(plain, encrypted), new byte[0]);
    }

    /**
     * Decrypts all of a stream. What was written is to be believed only after this has returned.
     *
     * @throws DataLossException if it is not what was encrypted
     */
    public static void decrypt(LayerKey key, LayerSeal seal, InputStream encrypted, OutputStream plain)
            throws IOException {
        if (!MessageDigest.isEqual(new LayerCipher(key, false).copy(encrypted, plain), seal.hmac())) {
            throw new DataLossException(
                    "the layer is not what was encrypted: its authentication code is wrong; nothing of it must be used");
        }
    }

    /** What happens to the bytes of a direct buffer, in their place. */
    private interface CounterMode {
        void apply(ByteBuffer direct);
    }

    /** @return the authentication code */
    private byte[] copy(InputStream in, OutputStream out) throws IOException {
        // Of a file or a pipe that is the thing itself, so that its bytes are copied into no array.
        ReadableByteChannel from = Channels.newChannel(in);
        WritableByteChannel to = Channels.newChannel(out);
        ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK);
        boolean more = fill(buffer, from);
        CounterMode mode = more ? mode() : jdksMode();
        MessageDigest digest = more ? Digest.digester("sha256") : jdksDigest();
        digest.update(pad(0x36));
        for (; ; more = fill(buffer, from)) {
            if (encrypting) {
                mode.apply(buffer);
            }
            digest.update(buffer.duplicate());
            if (!encrypting) {
                mode.apply(buffer);
            }
            while (buffer.hasRemaining()) {
                to.write(buffer);
            }
            if (!more) {
                break;
            }
        }
        byte[] inner = digest.digest();
        digest.update(pad(0x5c));
        digest.update(inner);
        return digest.digest();
    }

    /** @return whether it is full, so that more may come */
    private static boolean fill(ByteBuffer buffer, ReadableByteChannel from) throws IOException {
        buffer.clear();
        int count = 0;
        while (count >= 0 && buffer.hasRemaining()) {
            count = from.read(buffer);
        }
        buffer.flip();
        return count >= 0;
    }

    /** One of the two keys of an HMAC: RFC 2104. */
    private byte[] pad(int with) {
        byte[] pad = Arrays.copyOf(key.key(), BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            pad[i] = (byte) (pad[i] ^ with);
        }
        return pad;
    }

    private CounterMode mode() {
        Optional<Libcrypto.CounterMode> library = Libcrypto.counterMode(key.key(), key.nonce());
        return library.isPresent() ? library.get()::apply : jdksMode();
    }

    private CounterMode jdksMode() {
        try {
            Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key.key(), "AES"), new IvParameterSpec(key.nonce()));
            byte[] bytes = new byte[CHUNK];
            return direct -> {
                int length = direct.remaining();
                direct.get(direct.position(), bytes, 0, length);
                direct.put(direct.position(), updated(cipher, bytes, length), 0, length);
            };
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM lacks a cipher that every JVM has", e);
        }
    }

    private static byte[] updated(Cipher cipher, byte[] bytes, int length) {
        try {
            int made = cipher.update(bytes, 0, length, bytes, 0);
            if (made != length) {
                throw new IllegalStateException("a stream cipher has made %d bytes of %d".formatted(made, length));
            }
            return bytes;
        } catch (ShortBufferException e) {
            throw new IllegalStateException("a stream cipher has made more of less", e);
        }
    }

    private static MessageDigest jdksDigest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this JVM lacks a digest that every JVM has", e);
        }
    }
}
