package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;

/** The bytes of a table of contents on their way to the parser: counted, hashed, bounded. */
final class TocStream extends InputStream {

    private final InputStream in;
    private final long limit;
    private final String algorithm;
    private final MessageDigest digester;
    private long count;

    TocStream(InputStream in, long limit, String algorithm) {
        this.in = in;
        this.limit = limit;
        this.algorithm = algorithm;
        this.digester = Digest.digester(algorithm);
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int read = in.read(buffer, offset, length);
        if (read > 0) {
            count += read;
            if (count > limit) {
                throw new LayerFormatException("the TOC has more than %d bytes uncompressed".formatted(limit));
            }
            digester.update(buffer, offset, read);
        }
        return read;
    }

    /** Of all that was read, which must be all there is. */
    Digest digest() {
        return Digest.of(algorithm, digester);
    }

    long count() {
        return count;
    }
}
