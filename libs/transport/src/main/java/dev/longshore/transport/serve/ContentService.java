package dev.longshore.transport.serve;

import com.google.protobuf.Empty;
import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.api.services.content.v1.AbortRequest;
import dev.longshore.api.services.content.v1.ContentGrpc;
import dev.longshore.api.services.content.v1.DeleteContentRequest;
import dev.longshore.api.services.content.v1.InfoRequest;
import dev.longshore.api.services.content.v1.InfoResponse;
import dev.longshore.api.services.content.v1.ListContentRequest;
import dev.longshore.api.services.content.v1.ListContentResponse;
import dev.longshore.api.services.content.v1.ListStatusesRequest;
import dev.longshore.api.services.content.v1.ListStatusesResponse;
import dev.longshore.api.services.content.v1.ReadContentRequest;
import dev.longshore.api.services.content.v1.ReadContentResponse;
import dev.longshore.api.services.content.v1.StatusRequest;
import dev.longshore.api.services.content.v1.StatusResponse;
import dev.longshore.api.services.content.v1.UpdateRequest;
import dev.longshore.api.services.content.v1.UpdateResponse;
import dev.longshore.api.services.content.v1.WriteContentRequest;
import dev.longshore.api.services.content.v1.WriteContentResponse;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.OutOfRangeException;
import dev.longshore.sdk.label.Labels;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.PartReads;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Serves {@code containerd.services.content.v1.Content} over the contract {@link ContentStore}. */
public final class ContentService extends ContentGrpc.ContentImplBase {

    /** Blobs in one message of a list. */
    private static final int LIST_BATCH = 100;

    /** Bytes in one message of a read. */
    private static final int READ_CHUNK = 1 << 20;

    private final ContentStore store;

    public ContentService(ContentStore store) {
        this.store = store;
    }

    @Override
    public void info(InfoRequest request, StreamObserver<InfoResponse> observer) {
        Unary.answer(
                observer,
                () -> InfoResponse.newBuilder()
                        .setInfo(ContentProtos.info(
                                store.info(CallContexts.current(), Digest.parse(request.getDigest()))))
                        .build());
    }

    @Override
    public void update(UpdateRequest request, StreamObserver<UpdateResponse> observer) {
        Unary.answer(observer, () -> {
            ContentInfo info = ContentProtos.record(request.getInfo());
            Labels.check(info.labels());
            return UpdateResponse.newBuilder()
                    .setInfo(ContentProtos.info(
                            store.update(CallContexts.current(), info, Protos.paths(request.getUpdateMask()))))
                    .build();
        });
    }

    @Override
    public void list(ListContentRequest request, StreamObserver<ListContentResponse> observer) {
        Unary.stream(observer, sink -> {
            List<ContentInfo> batch = new ArrayList<>(LIST_BATCH);
            store.list(CallContexts.current(), request.getFiltersList(), info -> {
                batch.add(info);
                if (batch.size() == LIST_BATCH) {
                    sink.accept(listed(batch));
                    batch.clear();
                }
            });
            if (!batch.isEmpty()) {
                sink.accept(listed(batch));
            }
        });
    }

    private static ListContentResponse listed(List<ContentInfo> infos) {
        return ListContentResponse.newBuilder()
                .addAllInfo(infos.stream().map(ContentProtos::info).toList())
                .build();
    }

    @Override
    public void delete(DeleteContentRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> store.delete(CallContexts.current(), Digest.parse(request.getDigest())));
    }

    @Override
    public void read(ReadContentRequest request, StreamObserver<ReadContentResponse> observer) {
        Unary.stream(observer, sink -> {
            Digest digest = Digest.parse(request.getDigest());
            CallContext context = CallContexts.current();
            try (ContentReader reader =
                    PartReads.current() ? store.partReader(context, digest) : store.reader(context, digest)) {
                read(reader, digest, request.getOffset(), request.getSize(), sink);
            }
        });
    }

    /** As containerd has it: a size of 0, or past the end, means as far as the blob goes. */
    private static void read(
            ContentReader reader, Digest digest, long offset, long size, Consumer<ReadContentResponse> sink) {
        long total = reader.size();
        if (offset > total) {
            throw new OutOfRangeException(
                    "content %s has %d bytes: cannot read from %d on".formatted(digest, total, offset));
        }
        long start = Math.max(0, offset);
        long end = size <= 0 || size > total - start ? total : start + size;
        for (long position = start; position < end; ) {
            // A fresh one each time: the message keeps it until it is sent.
            ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(READ_CHUNK, end - position));
            if (reader.read(chunk, position) < 0) {
                throw new DataLossException("content %s ends at %d of %d bytes".formatted(digest, position, total));
            }
            chunk.flip();
            sink.accept(ReadContentResponse.newBuilder()
                    .setOffset(position)
                    .setData(UnsafeByteOperations.unsafeWrap(chunk))
                    .build());
            position += chunk.limit();
        }
    }

    @Override
    public void status(StatusRequest request, StreamObserver<StatusResponse> observer) {
        Unary.answer(
                observer,
                () -> StatusResponse.newBuilder()
                        .setStatus(ContentProtos.status(store.status(CallContexts.current(), request.getRef())))
                        .build());
    }

    @Override
    public void listStatuses(ListStatusesRequest request, StreamObserver<ListStatusesResponse> observer) {
        Unary.answer(
                observer,
                () -> ListStatusesResponse.newBuilder()
                        .addAllStatuses(store.statuses(CallContexts.current(), request.getFiltersList()).stream()
                                .map(ContentProtos::status)
                                .toList())
                        .build());
    }

    @Override
    public StreamObserver<WriteContentRequest> write(StreamObserver<WriteContentResponse> observer) {
        CallContext context = CallContexts.current();
        return new WriteSession(store, context, observer);
    }

    @Override
    public void abort(AbortRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> store.abort(CallContexts.current(), request.getRef()));
    }
}
