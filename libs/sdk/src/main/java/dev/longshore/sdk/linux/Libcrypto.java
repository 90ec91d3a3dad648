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
 * OpenSSL's digests, where the machine has its library. The JDK's own use the processor's instructions only once its C2 compiler
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
