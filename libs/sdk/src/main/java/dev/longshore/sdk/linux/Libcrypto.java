package dev.longshore.sdk.linux;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Optional;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * OpenSSL's digests and one of its ciphers, where the machine has its library. The JDK's own use the processor's instructions only once its C2 compiler
 * has compiled them, which costs a daemon more memory and start-up than all else; these do from the first byte on.
 *
 * @see <a href="https://docs.openssl.org/3.0/man3/EVP_DigestInit/">EVP_DigestInit(3)</a>
 */
public final class Libcrypto {

    /** Bytes that are copied out of the heap at once. */
    private static final int CHUNK = 64 << 10;

    private static final Cleaner CLEANER = Cleaner.create();

    private static final Optional<Functions> FUNCTIONS = load();

    private Libcrypto() {}

    private interface Functions extends Library {

        Pointer EVP_MD_CTX_new();

        void EVP_MD_CTX_free(Pointer context);

        int EVP_MD_CTX_copy_ex(Pointer to, Pointer from);

        @Nullable
        Pointer EVP_get_digestbyname(String name);

        int EVP_DigestInit_ex(Pointer context, Pointer algorithm, @Nullable Pointer engine);

        int EVP_DigestUpdate(Pointer context, Pointer data, long size);

        int EVP_DigestFinal_ex(Pointer context, byte[] result, @Nullable Pointer size);

        Pointer EVP_CIPHER_CTX_new();

        void EVP_CIPHER_CTX_free(Pointer context);

        @Nullable
        Pointer EVP_aes_256_ctr();

        int EVP_EncryptInit_ex(Pointer context, Pointer cipher, @Nullable Pointer engine, byte[] key, byte[] counter);

        int EVP_EncryptUpdate(Pointer context, Pointer result, int[] resultSize, Pointer data, int size);
    }

    private static Optional<Functions> load() {
        try {
            return Optional.of(Native.load("libcrypto.so.3", Functions.class));
        } catch (UnsatisfiedLinkError e) {
            return Optional.empty();
        }
    }

    /**
     * A fresh computation.
     *
     * @param algorithm as the JDK names it, e.g. {@code SHA-256}
     * @param length bytes of its result
     * @return empty where there is no such library, or it does not know the algorithm
     */
    public static Optional<MessageDigest> digester(String algorithm, int length) {
        return FUNCTIONS.flatMap(functions -> {
            Pointer type = functions.EVP_get_digestbyname(algorithm.replace("-", ""));
            return type == null ? Optional.empty() : Optional.of(new NativeDigest(functions, algorithm, type, length));
        });
    }

    /**
     * AES-256 in counter mode, from its beginning.
     *
     * @param key 32 bytes
     * @param counter the first block, of 16 bytes
     * @return empty where there is no such library
     */
    public static Optional<CounterMode> counterMode(byte[] key, byte[] counter) {
        return FUNCTIONS.flatMap(functions -> {
            Pointer type = functions.EVP_aes_256_ctr();
            return type == null ? Optional.empty() : Optional.of(new CounterMode(functions, type, key, counter));
        });
    }

    /** A stream that is encrypted, or decrypted, which is the same. For one thread at a time. */
    public static final class CounterMode {

        private final Functions functions;
        private final Pointer context;
        private final int[] made = new int[1];

        private CounterMode(Functions functions, Pointer type, byte[] key, byte[] counter) {
            if (key.length != 32 || counter.length != 16) {
                throw new IllegalArgumentException("a key of %d and a counter of %d bytes, not of 32 and 16"
                        .formatted(key.length, counter.length));
            }
            this.functions = functions;
            Pointer own = functions.EVP_CIPHER_CTX_new();
            this.context = own;
            CLEANER.register(this, () -> functions.EVP_CIPHER_CTX_free(own));
            check("EVP_EncryptInit_ex", functions.EVP_EncryptInit_ex(context, type, null, key, counter));
        }

        private static void check(String function, int result) {
            if (result != 1) {
                throw new IllegalStateException("%s of libcrypto failed".formatted(function));
            }
        }

        /** Replaces the bytes that remain in a direct buffer, which is left as it is otherwise. */
        public void apply(ByteBuffer direct) {
            try {
                Pointer start = Native.getDirectBufferPointer(direct).share(direct.position());
                check(
                        "EVP_EncryptUpdate",
                        functions.EVP_EncryptUpdate(context, start, made, start, direct.remaining()));
                if (made[0] != direct.remaining()) {
                    throw new IllegalStateException(
                            "a stream cipher has made %d bytes of %d".formatted(made[0], direct.remaining()));
                }
            } finally {
                Reference.reachabilityFence(this);
            }
        }
    }

    private static final class NativeDigest extends MessageDigest {

        private final Functions functions;
        private final Pointer type;
        private final int length;
        private final Pointer context;
        private @Nullable Memory chunk;

        NativeDigest(Functions functions, String algorithm, Pointer type, int length) {
            super(algorithm);
            this.functions = functions;
            this.type = type;
            this.length = length;
            Pointer made = functions.EVP_MD_CTX_new();
            this.context = made;
            CLEANER.register(this, () -> functions.EVP_MD_CTX_free(made));
            engineReset();
        }

        /** The context is not to be freed in the middle of a call, should nobody need this object afterwards. */
        private void call(String function, IntSupplier call) {
            try {
                if (call.getAsInt() != 1) {
                    throw new IllegalStateException("%s of libcrypto failed".formatted(function));
                }
            } finally {
                Reference.reachabilityFence(this);
            }
        }

        @Override
        protected int engineGetDigestLength() {
            return length;
        }

        @Override
        protected void engineReset() {
            call("EVP_DigestInit_ex", () -> functions.EVP_DigestInit_ex(context, type, null));
        }

        @Override
        protected void engineUpdate(byte input) {
            engineUpdate(new byte[] {input}, 0, 1);
        }

        @Override
        protected void engineUpdate(byte[] input, int offset, int size) {
            // Not before it is needed: a clone that is asked for the digest so far needs none.
            Memory copy = chunk == null ? new Memory(CHUNK) : chunk;
            chunk = copy;
            for (int done = 0; done < size; done += CHUNK) {
                int part = Math.min(CHUNK, size - done);
                copy.write(0, input, offset + done, part);
                call("EVP_DigestUpdate", () -> functions.EVP_DigestUpdate(context, copy, part));
            }
        }

        @Override
        protected void engineUpdate(ByteBuffer input) {
            if (!input.isDirect()) {
                super.engineUpdate(input);
                return;
            }
            Pointer start = Native.getDirectBufferPointer(input).share(input.position());
            call("EVP_DigestUpdate", () -> functions.EVP_DigestUpdate(context, start, input.remaining()));
            input.position(input.limit());
        }

        @Override
        protected byte[] engineDigest() {
            byte[] result = new byte[length];
            call("EVP_DigestFinal_ex", () -> functions.EVP_DigestFinal_ex(context, result, null));
            engineReset();
            return result;
        }

        @Override
        public Object clone() {
            NativeDigest copy = new NativeDigest(functions, getAlgorithm(), type, length);
            call("EVP_MD_CTX_copy_ex", () -> functions.EVP_MD_CTX_copy_ex(copy.context, context));
            return copy;
        }
    }
}
