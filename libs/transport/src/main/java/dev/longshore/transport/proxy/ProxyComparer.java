package dev.longshore.transport.proxy;

import dev.longshore.api.services.diff.v1.DiffGrpc;
import dev.longshore.api.services.diff.v1.DiffGrpc.DiffBlockingStub;
import dev.longshore.api.services.diff.v1.DiffRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.DescriptorProtos;
import dev.longshore.transport.serve.Protos;
import io.grpc.Channel;
import java.util.List;

/** The comparer behind a socket. A call has the deadline of its context, which must be long enough for a whole layer. */
public final class ProxyComparer implements Comparer {

    private final DiffBlockingStub stub;

    /** @param channel closed by who opened it */
    public ProxyComparer(Channel channel) {
        this.stub = DiffGrpc.newBlockingStub(channel);
    }

    @Override
    public Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options) {
        var request = DiffRequest.newBuilder()
                .addAllLeft(Protos.mounts(lower))
                .addAllRight(Protos.mounts(upper))
                .setMediaType(options.mediaType())
                .setRef(options.ref())
                .putAllLabels(options.labels());
        options.sourceDateEpoch().ifPresent(epoch -> request.setSourceDateEpoch(Protos.timestamp(epoch)));
        var response = Unary.call(() -> CallContexts.send(stub, context).diff(request.build()));
        return Answer.of(() -> DescriptorProtos.record(response.getDiff()));
    }
}
