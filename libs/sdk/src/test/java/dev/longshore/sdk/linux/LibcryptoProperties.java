package dev.longshore.sdk.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.BeforeTry;
import org.junit.jupiter.api.Assumptions;

/** The JDK's digests are the oracle. */
class LibcryptoProperties {

    @BeforeTry
    void needLibrary() {
        Assumptions.assumeTrue(
                Libcrypto.digester("SHA-256", 32).isPresent(), "no libcrypto.so.3: apt-get install libssl3");
    }

    private static MessageDigest ours(String algorithm, int length) {
        return Libcrypto.digester(algorithm, length).orElseThrow();
    }

    @Property(tries = 100)
    void digestsAreThoseOfTheJdk(@ForAll @Size(max = 300_000) byte[] bytes) throws NoSuchAlgorithmException {
        assertThat(ours("SHA-256", 32).digest(bytes))
                .isEqualTo(MessageDigest.getInstance("SHA-256").digest(bytes));
        assertThat(ours("SHA-384", 48).digest(bytes))
                .isEqualTo(MessageDigest.getInstance("SHA-384").digest(bytes));
        assertThat(ours("SHA-512", 64).digest(bytes))
                .isEqualTo(MessageDigest.getInstance("SHA-512").digest(bytes));
    }

    @Property(tries = 100)
    void partsMakeTheSameDigestHoweverTheyAreGiven(
            @ForAll @Size(max = 200_000) byte[] bytes, @ForAll @IntRange(max = 200_000) int cut)
            throws NoSuchAlgorithmException {
        int middle = Math.min(cut, bytes.length);
        MessageDigest digester = ours("SHA-256", 32);
        digester.update(bytes, 0, middle);
        MessageDigest branch = clone(digester);
        ByteBuffer rest = ByteBuffer.allocateDirect(bytes.length).put(bytes).position(middle);
        digester.update(rest);
        assertThat(rest.hasRemaining()).isFalse();
        byte[] expected = MessageDigest.getInstance("SHA-256").digest(bytes);
        assertThat(digester.digest()).isEqualTo(expected);

        for (int i = middle; i < Math.min(bytes.length, middle + 3); i++) {
            branch.update(bytes[i]);
        }
        int left = Math.min(bytes.length, middle + 3);
        branch.update(ByteBuffer.wrap(bytes, left, bytes.length - left));
        assertThat(branch.digest())
                .as("of a clone, byte by byte, then a buffer of the heap")
                .isEqualTo(expected);
    }

    @Property(tries = 20)
    void digestLeavesItFreshAsDoesReset(@ForAll @Size(max = 1000) byte[] bytes) throws NoSuchAlgorithmException {
        MessageDigest digester = ours("SHA-256", 32);
        digester.digest(bytes);
        assertThat(digester.digest())
                .isEqualTo(MessageDigest.getInstance("SHA-256").digest());
        digester.update(bytes);
        digester.reset();
        assertThat(digester.digest(bytes))
                .isEqualTo(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static MessageDigest clone(MessageDigest digester) {
        try {
            return (MessageDigest) digester.clone();
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
    }

    @Property(tries = 100)
    void counterModeIsThatOfTheJdkHoweverBytesAreGiven(
            @ForAll @Size(max = 100_000) byte[] bytes,
            @ForAll @IntRange(max = 100_000) int cut,
            @ForAll @Size(32) byte[] key,
            @ForAll @Size(16) byte[] counter)
            throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(counter));
        Libcrypto.CounterMode mode = Libcrypto.counterMode(key, counter).orElseThrow();
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        int middle = Math.min(cut, bytes.length);
        mode.apply(buffer.slice(0, middle));
        mode.apply(buffer.position(middle));
        byte[] encrypted = new byte[bytes.length];
        buffer.get(0, encrypted);
        assertThat(encrypted).isEqualTo(cipher.doFinal(bytes));
    }
}
