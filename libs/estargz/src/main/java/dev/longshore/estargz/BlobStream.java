package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;

/** Counts and hashes what goes through. */
final class BlobStream extends FilterOutputStream {

    private final MessageDigest digester = Digest.digester("sha256");
    private long count;

    BlobStream(OutputStream out) {
        super(out);
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        out.write(bytes, offset, length);
        digester.update(bytes, offset, length);
        count += length;
    }

    Digest digest() {
        return Digest.of("sha256", digester);
    }

    long count() {
        return count;
    }
}
