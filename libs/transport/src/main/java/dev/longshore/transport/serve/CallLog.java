package dev.longshore.transport.serve;

import dev.longshore.transport.grpc.CallContexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/** A line at debug level for each call that was dealt with. Errors that nobody expected are logged where they are classified. */
final class CallLog implements ServerInterceptor {

    private static final Logger log = LoggerFactory.getLogger(CallLog.class);

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        if (!log.isDebugEnabled()) {
            return next.startCall(call, headers);
        }
        long start = System.nanoTime();
        String namespace =
                CallContexts.current().namespace().map(Object::toString).orElse("");
        return next.startCall(
                new SimpleForwardingServerCall<>(call) {
                    @Override
                    public void close(Status status, Metadata trailers) {
                        LoggingEventBuilder line = log.atDebug()
                                .addKeyValue("method", getMethodDescriptor().getBareMethodName())
                                .addKeyValue("namespace", namespace)
                                .addKeyValue("code", status.getCode())
                                .addKeyValue("ms", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
                        if (status.getDescription() != null) {
                            line = line.addKeyValue("err", status.getDescription());
                        }
                        line.log("call");
                        super.close(status, trailers);
                    }
                },
                headers);
    }
}
