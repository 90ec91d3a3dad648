package dev.longshore.cli.image;

import com.google.protobuf.ByteString;
import dev.longshore.api.services.content.v1.ReadContentRequest;
import dev.longshore.api.services.content.v1.ReadContentResponse;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.transport.grpc.StatusMapper;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.io.InputStream;
import java.security.MessageDigest;

/** A blob of the daemon's content store, as it comes. Its end is there only if it is what its digest says. */
final class BlobReader extends InputStream {

    private final Descriptor blob;
    private final BlockingClientCall<?, ReadContentResponse> stream;
    private final MessageDigest digester;
    private ByteString part = ByteString.EMPTY;
    private int taken;
    private boolean ended;

    BlobReader(Daemon daemon, Descriptor blob) {
        this.blob = blob;
        this.digester = blob.digest().digester();
        this.stream = daemon.contentStreams()
                .read(ReadContentRequest.newBuilder()
                        .setDigest(blob.digest().toString())
                        .build());
    }

    @Override
    public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) {
        if (length == 0) {
            return 0;
        }
        while (taken == part.size()) {
            if (ended || !next()) {
                ended = true;
                return -1;
            }
        }
        int count = Math.min(length, part.size() - taken);
        part.substring(taken, taken + count).copyTo(bytes, offset);
        digester.update(bytes, offset, count);
        taken += count;
        return count;
    }

    private boolean next() {
        try {
            ReadContentResponse answer = stream.read();
            if (answer != null) {
                part = answer.getData();
                taken = 0;
                return true;
            }
        } catch (StatusException e) {
            throw StatusMapper.fromStatus(e.getStatus(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while reading blob " + blob.digest(), e);
        }
        if (!Digest.of(blob.digest().algorithm(), digester).equals(blob.digest())) {
            throw new DataLossException(
                    "the daemon's content of %s is not what the digest says".formatted(blob.digest()));
        }
        return false;
    }

    @Override
    public void close() {
        stream.cancel("done", null);
    }
}
