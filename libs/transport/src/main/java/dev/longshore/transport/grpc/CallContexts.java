package dev.longshore.transport.grpc;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.namespace.NamespaceId;
import io.grpc.Channel;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Call contexts on the wire: the headers {@code containerd-namespace} and {@code containerd-lease}, and gRPC's deadline. */
public final class CallContexts {

    static final Metadata.Key<String> NAMESPACE =
            Metadata.Key.of("containerd-namespace", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<String> LEASE = Metadata.Key.of("containerd-lease", Metadata.ASCII_STRING_MARSHALLER);

    /** For callers that set no deadline, such as those who wait for a task. */
    private static final Duration NO_DEADLINE = Duration.ofDays(3650);

    private static final Context.Key<CallContext> KEY = Context.key("call-context");

    private CallContexts() {}

    /** The context of the call that this thread serves. Only inside of a service method. */
    public static CallContext current() {
        CallContext context = KEY.get();
        if (context == null) {
            throw new IllegalStateException("not inside of a gRPC call");
        }
        return context;
    }

    /** The same stub, sending {@code context} with every call. */
    public static <S extends AbstractStub<S>> S send(S stub, CallContext context) {
        return stub.withInterceptors(headers(context))
                .withDeadlineAfter(context.deadline().remaining().toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * The same channel, sending the headers of {@code context} with every call but not its deadline: for a stream that may
     * take any time in all, and bounds each of its messages instead.
     */
    public static Channel sendHeaders(Channel channel, CallContext context) {
        return ClientInterceptors.intercept(channel, headers(context));
    }

    private static ClientInterceptor headers(CallContext context) {
        Metadata headers = new Metadata();
        context.namespace().ifPresent(namespace -> headers.put(NAMESPACE, namespace.value()));
        context.lease().ifPresent(lease -> headers.put(LEASE, lease));
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }

    /** Reads the context of every call. A bad namespace fails the call before the service sees it. */
    static final class Reader implements ServerInterceptor {

        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            CallContext context;
            try {
                context = read(headers);
            } catch (ContainerdException e) {
                call.close(StatusMapper.toStatus(e), new Metadata());
                return new ServerCall.Listener<>() {};
            }
            Context current = Context.current().withValue(KEY, context);
            return Contexts.interceptCall(PartReads.read(headers, current), call, headers, next);
        }

        private static CallContext read(Metadata headers) {
            io.grpc.Deadline deadline = Context.current().getDeadline();
            Duration left = deadline == null
                    ? NO_DEADLINE
                    : Duration.ofNanos(Math.max(0, deadline.timeRemaining(TimeUnit.NANOSECONDS)));
            return new CallContext(
                    text(headers, NAMESPACE).map(NamespaceId::new),
                    text(headers, LEASE),
                    Deadline.after(left.compareTo(NO_DEADLINE) > 0 ? NO_DEADLINE : left));
        }

        private static Optional<String> text(Metadata headers, Metadata.Key<String> key) {
            return Optional.ofNullable(headers.get(key)).filter(value -> !value.isEmpty());
        }
    }
}
