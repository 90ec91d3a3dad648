package dev.longshore.transport.proxy;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.api.services.diff.v1.ApplyRequest;
import dev.longshore.api.services.diff.v1.DiffGrpc;
import dev.longshore.api.services.diff.v1.DiffGrpc.DiffBlockingStub;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.DescriptorProtos;
import dev.longshore.transport.serve.Protos;
import io.grpc.Channel;
import java.util.List;
import java.util.Map;

/** The applier behind a socket. A call has the deadline of its context, which must be long enough for a whole layer. */
public final class ProxyApplier implements Applier {

    private final DiffBlockingStub stub;

    /** @param channel closed by who opened it */
    public ProxyApplier(Channel channel) {
        this.stub = DiffGrpc.newBlockingStub(channel);
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        var request = ApplyRequest.newBuilder()
                .setDiff(DescriptorProtos.proto(layer))
                .addAllMounts(Protos.mounts(mounts))
                .setSyncFs(syncFileSystem);
        payloads.forEach((id, payload) -> request.putPayloads(
                id,
                Any.newBuilder()
                        .setTypeUrl(payload.typeUrl())
                        .setValue(ByteString.copyFrom(payload.value()))
                        .build()));
        var response = Unary.call(() -> CallContexts.send(stub, context).apply(request.build()));
        return Answer.of(() -> DescriptorProtos.record(response.getApplied()));
    }
}
