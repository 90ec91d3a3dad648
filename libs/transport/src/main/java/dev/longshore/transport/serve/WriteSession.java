package dev.longshore.transport.serve;

import dev.longshore.api.services.content.v1.WriteAction;
import dev.longshore.api.services.content.v1.WriteContentRequest;
import dev.longshore.api.services.content.v1.WriteContentResponse;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.OutOfRangeException;
import dev.longshore.sdk.label.Labels;
import dev.longshore.transport.grpc.StatusMapper;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One call of {@code Content/Write}. gRPC hands in one message at a time, and the next only when this one is dealt with, so
 * nothing piles up. What was written stays when the client leaves.
 */
final class WriteSession implements StreamObserver<WriteContentRequest> {

    private static final Logger log = LoggerFactory.getLogger(WriteSession.class);

    private final ContentStore store;
    private final CallContext context;
    private final StreamObserver<WriteContentResponse> observer;
    private Optional<ContentWriter> writer = Optional.empty();
    private long total;
    private Optional<Digest> expected = Optional.empty();
    private boolean ended;

    WriteSession(ContentStore store, CallContext context, StreamObserver<WriteContentResponse> observer) {
        this.store = store;
        this.context = context;
        this.observer = observer;
    }

    @Override
    public void onNext(WriteContentRequest request) {
        if (ended) {
            return; // messages behind an error are of no interest
        }
        try {
            WriteContentResponse response = handle(request);
            observer.onNext(response);
            if (request.getAction() == WriteAction.COMMIT) {
                end();
                observer.onCompleted();
            }
        } catch (Throwable e) { // whatever it is, the client must hear of it
            end();
            observer.onError(StatusMapper.toStatus(e).asRuntimeException());
        }
    }

    private WriteContentResponse handle(WriteContentRequest request) {
        ContentWriter open = writer.isPresent() ? checked(request) : open(request);
        return switch (request.getAction()) {
            case STAT -> response(request, open.status(), open.digest());
            case WRITE -> {
                write(open, request);
                yield response(request, open.status(), open.digest());
            }
            case COMMIT -> {
                Map<String, String> labels = Labels.check(request.getLabelsMap());
                write(open, request);
                open.commit(total, expected, labels);
                yield response(request, open.status(), open.digest()); // which may be another than before
            }
            case UNRECOGNIZED ->
                throw new InvalidArgumentException("unknown write action %d".formatted(request.getActionValue()));
        };
    }

    private ContentWriter open(WriteContentRequest request) {
        if (request.getRef().isEmpty()) {
            throw new InvalidArgumentException("the first message of a write must have a ref");
        }
        total = request.getTotal();
        expected = ContentProtos.digest(request.getExpected());
        ContentWriter opened = store.writer(context, new WriterRequest(request.getRef(), total, expected));
        writer = Optional.of(opened);
        return opened;
    }

    /** Later messages may tell what the first did not; where they differ, the last word counts, and the commit checks it. */
    private ContentWriter checked(WriteContentRequest request) {
        ContentWriter open = writer.orElseThrow();
        String ref = open.status().ref();
        if (!request.getRef().isEmpty() && !request.getRef().equals(ref)) {
            throw new InvalidArgumentException(
                    "a write cannot go over from ref \"%s\" to \"%s\"".formatted(ref, request.getRef()));
        }
        if (request.getTotal() > 0) {
            total = request.getTotal();
        }
        Optional<Digest> told = ContentProtos.digest(request.getExpected());
        if (told.isPresent()) {
            expected = told;
            if (exists(told.get())) {
                open.close();
                drop(ref);
                throw new AlreadyExistsException("content %s".formatted(told.get()));
            }
        }
        return open;
    }

    private void drop(String ref) {
        try {
            store.abort(context, ref);
        } catch (ContainerdException e) {
            // The client is told what matters, that the blob is there; what is left of the ingest expires.
            log.atWarn()
                    .addKeyValue("ref", ref)
                    .addKeyValue("err", e.getMessage())
                    .log("cannot drop an ingest");
        }
    }

    private boolean exists(Digest digest) {
        try {
            return store.info(context, digest).digest().equals(digest);
        } catch (NotFoundException e) {
            return false;
        }
    }

    private static void write(ContentWriter writer, WriteContentRequest request) {
        long offset = writer.status().offset();
        if (request.getOffset() != 0 && request.getOffset() != offset) {
            throw new OutOfRangeException("write at %d must be at the current offset %d of ref \"%s\""
                    .formatted(request.getOffset(), offset, writer.status().ref()));
        }
        if (request.getOffset() == 0 && offset > 0) {
            writer.truncate(0);
        }
        // Not even an empty write: it would ask for a blob that is there already to be sent again.
        if (!request.getData().isEmpty()) {
            for (ByteBuffer part : request.getData().asReadOnlyByteBufferList()) {
                writer.write(part);
            }
        }
    }

    private WriteContentResponse response(WriteContentRequest request, IngestStatus status, Digest digest) {
        return WriteContentResponse.newBuilder()
                .setAction(request.getAction())
                .setStartedAt(Protos.timestamp(status.started()))
                .setUpdatedAt(Protos.timestamp(status.updated()))
                .setOffset(status.offset())
                .setTotal(total)
                .setDigest(digest.toString())
                .build();
    }

    @Override
    public void onError(Throwable cause) {
        log.atDebug().addKeyValue("err", cause.getMessage()).log("the client left a write");
        end();
    }

    @Override
    public void onCompleted() {
        if (ended) {
            return;
        }
        end();
        observer.onCompleted();
    }

    private void end() {
        ended = true;
        try {
            writer.ifPresent(ContentWriter::close);
        } catch (RuntimeException e) {
            log.atError().setCause(e).log("cannot close an ingest");
        }
    }
}
