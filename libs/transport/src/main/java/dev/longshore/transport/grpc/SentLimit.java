package dev.longshore.transport.grpc;

import com.google.protobuf.MessageLite;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;

/** Ends calls that would answer a message larger than clients take, with {@code RESOURCE_EXHAUSTED}, as Go's servers do. */
public final class SentLimit implements ServerInterceptor {

    private final int most;

    /** @param most bytes of a message */
    public SentLimit(int most) {
        this.most = most;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        return next.startCall(
                new SimpleForwardingServerCall<>(call) {

                    private boolean refused;

                    @Override
                    public void sendMessage(A message) {
                        if (message instanceof MessageLite answer && answer.getSerializedSize() > most) {
                            refused = true;
                            super.close(
                                    Status.RESOURCE_EXHAUSTED.withDescription(
                                            "the answer has %d bytes, more than the %d that are sent: ask for less"
                                                    .formatted(answer.getSerializedSize(), most)),
                                    new Metadata());
                        } else if (!refused) {
                            super.sendMessage(message);
                        }
                    }

                    @Override
                    public void close(Status status, Metadata trailers) {
                        if (!refused) {
                            super.close(status, trailers);
                        }
                    }
                },
                headers);
    }
}
