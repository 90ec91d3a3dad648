package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.ByteString;
import com.google.protobuf.FieldMask;
import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.api.services.content.v1.Info;
import dev.longshore.api.services.content.v1.InfoRequest;
import dev.longshore.api.services.content.v1.ReadContentRequest;
import dev.longshore.api.services.content.v1.ReadContentResponse;
import dev.longshore.api.services.content.v1.UpdateRequest;
import dev.longshore.api.services.content.v1.WriteAction;
import dev.longshore.api.services.content.v1.WriteContentRequest;
import dev.longshore.api.services.content.v1.WriteContentResponse;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.transport.grpc.StatusMapper;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.Map;

/** The daemon's content store, seen from here. */
public final class BlobStore {

    /** Bytes of a message; the daemon takes up to 16 MiB. */
    private static final int CHUNK = 1 << 20;

    /** Bytes of a document that is read whole. */
    private static final int MAX_DOCUMENT = 8 << 20;

    private final Daemon daemon;

    public BlobStore(Daemon daemon) {
        this.daemon = daemon;
    }

    /**
     * A document, checked against its digest.
     *
     * @throws InvalidArgumentException if it is larger than a document may be
     * @throws DataLossException if it is not what its digest says
     */
    public byte[] read(Descriptor descriptor) {
        if (descriptor.size() > MAX_DOCUMENT) {
            throw new InvalidArgumentException("%s has %d bytes, the limit for a document is %d"
                    .formatted(descriptor.digest(), descriptor.size(), MAX_DOCUMENT));
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        call(() -> {
            ReadContentRequest request = ReadContentRequest.newBuilder()
                    .setDigest(descriptor.digest().toString())
                    .setSize(descriptor.size())
                    .build();
            for (Iterator<ReadContentResponse> parts = daemon.content().read(request);
                    parts.hasNext() && bytes.size() <= MAX_DOCUMENT; ) {
                bytes.writeBytes(parts.next().getData().toByteArray());
            }
            return bytes;
        });
        var digester = descriptor.digest().digester();
        digester.update(bytes.toByteArray());
        if (!Digest.of(descriptor.digest().algorithm(), digester).equals(descriptor.digest())) {
            throw new DataLossException(
                    "the daemon's content of %s is not what the digest says".formatted(descriptor.digest()));
        }
        return bytes.toByteArray();
    }

    /** @throws NotFoundException if there is no such blob */
    Map<String, String> labels(Digest digest) {
        return call(() -> daemon.content()
                        .info(InfoRequest.newBuilder()
                                .setDigest(digest.toString())
                                .build()))
                .getInfo()
                .getLabelsMap();
    }

    /** Adds labels to a blob; the others stay. */
    public void label(Digest digest, Map<String, String> labels) {
        FieldMask.Builder mask = FieldMask.newBuilder();
        labels.keySet().forEach(key -> mask.addPaths("labels." + key));
        call(() -> daemon.content()
                .update(UpdateRequest.newBuilder()
                        .setInfo(Info.newBuilder().setDigest(digest.toString()).putAllLabels(labels))
                        .setUpdateMask(mask)
                        .build()));
    }

    /**
     * Stores a blob, or the rest of it if some was stored before; one that is there only gets its labels. The daemon checks the
     * digest.
     */
    void write(Blob blob, Progress progress) throws IOException {
        Descriptor descriptor = blob.descriptor();
        BlockingClientCall<WriteContentRequest, WriteContentResponse> stream =
                daemon.contentStreams().write();
        try {
            write(stream, blob, progress);
        } catch (AlreadyExistsException e) {
            if (!blob.labels().isEmpty()) {
                label(descriptor.digest(), blob.labels());
            }
        } finally {
            stream.cancel("done", null);
        }
    }

    private static void write(
            BlockingClientCall<WriteContentRequest, WriteContentResponse> stream, Blob blob, Progress progress)
            throws IOException {
        Descriptor descriptor = blob.descriptor();
        long total = descriptor.size();
        String digest = descriptor.digest().toString();
        WriteContentResponse state = exchange(
                stream,
                WriteContentRequest.newBuilder()
                        .setAction(WriteAction.STAT)
                        .setRef("longshore-" + digest)
                        .setTotal(total)
                        .setExpected(digest)
                        .build());
        long offset = state.getOffset();
        try (InputStream in = blob.source().open(offset)) {
            byte[] buffer = new byte[CHUNK];
            while (offset < total) {
                int count = in.readNBytes(buffer, 0, (int) Math.min(CHUNK, total - offset));
                if (count == 0) {
                    throw new InvalidArgumentException(
                            "blob %s ends after %d of %d bytes".formatted(digest, offset, total));
                }
                // Not reused before the answer is here, so it need not be copied.
                ByteString data = UnsafeByteOperations.unsafeWrap(buffer, 0, count);
                offset = exchange(
                                stream,
                                WriteContentRequest.newBuilder()
                                        .setAction(WriteAction.WRITE)
                                        .setOffset(offset)
                                        .setData(data)
                                        .build())
                        .getOffset();
                progress.at(offset, total);
            }
        }
        exchange(
                stream,
                WriteContentRequest.newBuilder()
                        .setAction(WriteAction.COMMIT)
                        .setOffset(offset)
                        .setTotal(total)
                        .setExpected(digest)
                        .putAllLabels(blob.labels())
                        .build());
    }

    /** One message there and one back. */
    static WriteContentResponse exchange(
            BlockingClientCall<WriteContentRequest, WriteContentResponse> stream, WriteContentRequest request) {
        try {
            // Writing fails without a reason when the daemon has ended the stream; reading then tells it.
            boolean _ = stream.write(request);
            WriteContentResponse answer = stream.read();
            if (answer == null) {
                throw new DataLossException("the daemon ended the writing of a blob without an answer");
            }
            return answer;
        } catch (StatusException e) {
            Status status = e.getStatus();
            throw StatusMapper.fromStatus(status, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while writing a blob", e);
        }
    }
}
