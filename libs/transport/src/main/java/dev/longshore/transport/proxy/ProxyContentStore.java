package dev.longshore.transport.proxy;

import com.google.protobuf.FieldMask;
import dev.longshore.api.services.content.v1.AbortRequest;
import dev.longshore.api.services.content.v1.ContentGrpc;
import dev.longshore.api.services.content.v1.ContentGrpc.ContentBlockingStub;
import dev.longshore.api.services.content.v1.DeleteContentRequest;
import dev.longshore.api.services.content.v1.InfoRequest;
import dev.longshore.api.services.content.v1.ListContentRequest;
import dev.longshore.api.services.content.v1.ListStatusesRequest;
import dev.longshore.api.services.content.v1.StatusRequest;
import dev.longshore.api.services.content.v1.UpdateRequest;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.PartReads;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.ContentProtos;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import java.util.List;
import java.util.function.Consumer;

/**
 * The content store behind a socket. Every call has the deadline of its context. A blob may take any time to read or to write,
 * so readers and writers give each message what was left of the deadline when they were opened.
 */
public final class ProxyContentStore implements ContentStore {

    private final Channel channel;
    private final ContentBlockingStub stub;

    /** @param channel closed by who opened it */
    public ProxyContentStore(Channel channel) {
        this.channel = channel;
        this.stub = ContentGrpc.newBlockingStub(channel);
    }

    private ContentBlockingStub stub(CallContext context) {
        return CallContexts.send(stub, context);
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        var request = InfoRequest.newBuilder().setDigest(digest.toString());
        var response = Unary.call(() -> stub(context).info(request.build()));
        return Answer.of(() -> ContentProtos.record(response.getInfo()));
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        var request = UpdateRequest.newBuilder()
                .setInfo(ContentProtos.info(info))
                .setUpdateMask(FieldMask.newBuilder().addAllPaths(fieldPaths));
        var response = Unary.call(() -> stub(context).update(request.build()));
        return Answer.of(() -> ContentProtos.record(response.getInfo()));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        var request = ListContentRequest.newBuilder().addAllFilters(filters);
        // Ends the call on the other side too when the sink throws.
        try (CancellableContext call = Context.current().withCancellation()) {
            call.run(() -> {
                var responses = Unary.call(() -> stub(context).list(request.build()));
                while (Unary.call(responses::hasNext)) {
                    responses
                            .next()
                            .getInfoList()
                            .forEach(info -> sink.accept(Answer.of(() -> ContentProtos.record(info))));
                }
            });
        }
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        var request = DeleteContentRequest.newBuilder().setDigest(digest.toString());
        var _ = Unary.call(() -> stub(context).delete(request.build()));
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        return reader(stub, context, digest);
    }

    @Override
    public ContentReader partReader(CallContext context, Digest digest) {
        return reader(PartReads.send(stub), context, digest);
    }

    private ContentReader reader(ContentBlockingStub reading, CallContext context, Digest digest) {
        return new ProxyContentReader(
                reading,
                context,
                context.deadline().remaining(),
                info(context, digest).size(),
                digest);
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        var request = StatusRequest.newBuilder().setRef(ref);
        var response = Unary.call(() -> stub(context).status(request.build()));
        return Answer.of(() -> ContentProtos.record(response.getStatus()));
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        var request = ListStatusesRequest.newBuilder().addAllFilters(filters);
        var response = Unary.call(() -> stub(context).listStatuses(request.build()));
        return Answer.of(() ->
                response.getStatusesList().stream().map(ContentProtos::record).toList());
    }

    @Override
    public void abort(CallContext context, String ref) {
        var request = AbortRequest.newBuilder().setRef(ref);
        var _ = Unary.call(() -> stub(context).abort(request.build()));
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        return ProxyContentWriter.open(channel, context, request);
    }

    /** Does nothing: the channel belongs to who opened it. */
    @Override
    public void close() {}
}
