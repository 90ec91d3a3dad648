package dev.longshore.ocicrypt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.DataLossException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Whatever a layer is: what comes out is what went in, or an error. */
final class LayerCipherProperties {

    /** Around the sizes of blocks and of pieces. */
    @Provide
    Arbitrary<Integer> sizes() {
        return Arbitraries.oneOf(
                Arbitraries.integers().between(0, 70),
                Arbitraries.integers().between((256 << 10) - 40, (256 << 10) + 40),
                Arbitraries.integers().between(0, 1 << 20));
    }

    private static byte[] layer(int size, long seed) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Encrypted(LayerKey key, LayerSeal seal, byte[] bytes) {

        static Encrypted of(byte[] layer) throws IOException {
            LayerKey key = LayerKey.random("");
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            LayerSeal seal = LayerCipher.encrypt(key, new ByteArrayInputStream(layer), out);
            return new Encrypted(key, seal, out.toByteArray());
        }

        byte[] decrypt(byte[] received) throws IOException {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            LayerCipher.decrypt(key, seal, new ByteArrayInputStream(received), out);
            return out.toByteArray();
        }

        void refuses(byte[] received) {
            assertThatThrownBy(() -> decrypt(received))
                    .isInstanceOf(DataLossException.class)
                    .hasMessageContaining("not what was encrypted");
        }
    }

    @Property(tries = 200)
    void whatWasEncryptedComesBack(@ForAll("sizes") int size, @ForAll long seed) throws IOException {
        byte[] layer = layer(size, seed);
        Encrypted encrypted = Encrypted.of(layer);
        assertThat(encrypted.bytes()).hasSize(size);
        assertThat(encrypted.decrypt(encrypted.bytes())).isEqualTo(layer);
    }

    @Property(tries = 50)
    void itIsTheCipherAndTheCodeOfTheStandardLibrary(@ForAll("sizes") int size, @ForAll long seed) throws Exception {
        byte[] layer = layer(size, seed);
        Encrypted encrypted = Encrypted.of(layer);
        Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
        cipher.init(
                Cipher.ENCRYPT_MODE,
                new SecretKeySpec(encrypted.key().key(), "AES"),
                new IvParameterSpec(encrypted.key().nonce()));
        assertThat(cipher.doFinal(layer)).isEqualTo(encrypted.bytes());
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(encrypted.key().key(), "HmacSHA256"));
        assertThat(encrypted.seal().hmac()).isEqualTo(mac.doFinal(encrypted.bytes()));
    }

    @Property(tries = 200)
    void anyChangedByteIsAnError(@ForAll("sizes") int size, @ForAll long seed, @ForAll byte by) throws IOException {
        if (size == 0 || by == 0) {
            return;
        }
        Encrypted encrypted = Encrypted.of(layer(size, seed));
        byte[] changed = encrypted.bytes().clone();
        changed[Math.floorMod(seed, size)] ^= by;
        encrypted.refuses(changed);
    }

    @Property(tries = 100)
    void aStreamThatEndsEarlyOrLateIsAnError(@ForAll("sizes") int size, @ForAll long seed) throws IOException {
        Encrypted encrypted = Encrypted.of(layer(size, seed));
        if (size > 0) {
            encrypted.refuses(Arrays.copyOf(encrypted.bytes(), Math.floorMod(seed, size)));
        }
        encrypted.refuses(Arrays.copyOf(encrypted.bytes(), size + 1));
    }

    @Property(tries = 50)
    void anotherKeyIsAnError(@ForAll("sizes") int size, @ForAll long seed) throws IOException {
        Encrypted encrypted = Encrypted.of(layer(size, seed));
        new Encrypted(LayerKey.random(""), encrypted.seal(), encrypted.bytes()).refuses(encrypted.bytes());
    }
}
