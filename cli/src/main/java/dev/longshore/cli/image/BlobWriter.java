package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.api.services.content.v1.AbortRequest;
import dev.longshore.api.services.content.v1.WriteAction;
import dev.longshore.api.services.content.v1.WriteContentRequest;
import dev.longshore.api.services.content.v1.WriteContentResponse;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AbortedException;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.NotFoundException;
import io.grpc.stub.BlockingClientCall;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.util.UUID;

/** A blob that is made as it is written, so that its digest is known at its end. Nothing of it is kept unless it is committed. */
final class BlobWriter extends OutputStream {

    /** Bytes of a message; the daemon takes up to 16 MiB. */
    private static final int CHUNK = 1 << 20;

    private final Daemon daemon;
    private final String ref = "longshore-" + UUID.randomUUID();
    private final long total;
    private final Progress progress;
    private final BlockingClientCall<WriteContentRequest, WriteContentResponse> stream;
    private final MessageDigest digester = Digest.digester("sha256");
    private final byte[] buffer = new byte[CHUNK];
    private int filled;
    private long offset;
    private boolean committed;

    /** @param total bytes that will be written; 0 if that is not known */
    BlobWriter(Daemon daemon, long total, Progress progress) {
        this.daemon = daemon;
        this.total = total;
        this.progress = progress;
        this.stream = daemon.contentStreams().write();
        BlobStore.exchange(
                stream,
                WriteContentRequest.newBuilder()
                        .setAction(WriteAction.STAT)
                        .setRef(ref)
                        .setTotal(total)
                        .build());
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int start, int length) {
        digester.update(bytes, start, length);
        for (int done = 0; done < length; ) {
            int count = Math.min(length - done, CHUNK - filled);
            System.arraycopy(bytes, start + done, buffer, filled, count);
            done += count;
            filled += count;
            if (filled == CHUNK) {
                send();
            }
        }
    }

    private void send() {
        // Not reused before the answer is here, so it need not be copied.
        offset = BlobStore.exchange(
                        stream,
                        WriteContentRequest.newBuilder()
                                .setAction(WriteAction.WRITE)
                                .setOffset(offset)
                                .setData(UnsafeByteOperations.unsafeWrap(buffer, 0, filled))
                                .build())
                .getOffset();
        filled = 0;
        progress.at(offset, Math.max(offset, total));
    }

    /** Keeps it. One that is there already is left as it is. */
    Digest commit() {
        if (filled > 0) {
            send();
        }
        Digest digest = Digest.of("sha256", digester);
        try {
            BlobStore.exchange(
                    stream,
                    WriteContentRequest.newBuilder()
                            .setAction(WriteAction.COMMIT)
                            .setOffset(offset)
                            .setTotal(offset)
                            .setExpected(digest.toString())
                            .build());
            committed = true;
        } catch (AlreadyExistsException e) {
            // What was written goes when this is closed.
            hold(digest);
        }
        return digest;
    }

    /** Has the lease keep what is there: a daemon does that for who wants to write it and is told that it is there. */
    private void hold(Digest digest) {
        BlockingClientCall<WriteContentRequest, WriteContentResponse> again =
                daemon.contentStreams().write();
        try {
            BlobStore.exchange(
                    again,
                    WriteContentRequest.newBuilder()
                            .setAction(WriteAction.STAT)
                            .setRef(ref + "-again")
                            .setTotal(total)
                            .setExpected(digest.toString())
                            .build());
            throw new AbortedException("blob %s was there and is gone: try again".formatted(digest));
        } catch (AlreadyExistsException e) {
            // As it should be.
        } finally {
            again.cancel("done", null);
        }
    }

    @Override
    public void close() {
        stream.cancel("done", null);
        if (!committed) {
            try {
                call(() -> daemon.content()
                        .abort(AbortRequest.newBuilder().setRef(ref).build()));
            } catch (NotFoundException e) {
                // Nothing was begun, or it went when the blob turned out to be there.
            }
        }
    }
}
