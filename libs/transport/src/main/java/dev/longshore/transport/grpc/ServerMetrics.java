package dev.longshore.transport.grpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Counts the calls that a server has dealt with, and times them, under the names that containerd's dashboards use:
 * {@code grpc_server_started_total}, {@code grpc_server_handled_total} and {@code grpc_server_handling_seconds}. Only methods
 * that are served get here, so the tags are bounded.
 */
public final class ServerMetrics implements ServerInterceptor {

    private final MeterRegistry registry;

    /** By full name. To look a meter up in the registry costs more than all else that is done here. */
    private final Map<String, MethodMeters> methods = new ConcurrentHashMap<>();

    public ServerMetrics(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        MethodDescriptor<Q, A> method = call.getMethodDescriptor();
        MethodMeters meters =
                methods.computeIfAbsent(method.getFullMethodName(), name -> new MethodMeters(registry, method));
        meters.started.increment();
        Handling handling = new Handling(meters, System.nanoTime(), new AtomicBoolean());
        ServerCall.Listener<Q> listener = next.startCall(
                new SimpleForwardingServerCall<>(call) {
                    @Override
                    public void close(Status status, Metadata trailers) {
                        handling.end(status.getCode());
                        super.close(status, trailers);
                    }
                },
                headers);
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onCancel() {
                handling.end(Status.Code.CANCELLED);
                super.onCancel();
            }
        };
    }

    /** One call: it may be answered and given up at the same time, and counts once. */
    private record Handling(MethodMeters meters, long start, AtomicBoolean ended) {

        void end(Status.Code code) {
            if (!ended.getAndSet(true)) {
                meters.ended(code, System.nanoTime() - start);
            }
        }
    }

    private static final class MethodMeters {

        private final MeterRegistry registry;
        private final Tags tags;
        private final Counter started;
        private final Timer handling;
        private final Map<Status.Code, Counter> handled = new ConcurrentHashMap<>();

        MethodMeters(MeterRegistry registry, MethodDescriptor<?, ?> method) {
            this.registry = registry;
            this.tags = Tags.of(
                    "grpc_type", type(method.getType()),
                    "grpc_service", String.valueOf(method.getServiceName()),
                    "grpc_method", String.valueOf(method.getBareMethodName()));
            this.started = registry.counter("grpc.server.started", tags);
            this.handling = registry.timer("grpc.server.handling", tags);
        }

        void ended(Status.Code code, long nanos) {
            handling.record(nanos, TimeUnit.NANOSECONDS);
            handled.computeIfAbsent(
                            code, key -> registry.counter("grpc.server.handled", tags.and("grpc_code", code(key))))
                    .increment();
        }
    }

    private static String type(MethodDescriptor.MethodType type) {
        return switch (type) {
            case UNARY -> "unary";
            case CLIENT_STREAMING -> "client_stream";
            case SERVER_STREAMING -> "server_stream";
            case BIDI_STREAMING -> "bidi_stream";
            case UNKNOWN -> "unknown";
        };
    }

    /** As Go writes it: {@code NotFound} for {@code NOT_FOUND}. */
    private static String code(Status.Code code) {
        if (code == Status.Code.CANCELLED) {
            return "Canceled";
        }
        if (code == Status.Code.OK) {
            return "OK";
        }
        StringBuilder text = new StringBuilder();
        for (String word : code.name().split("_", -1)) {
            text.append(word.charAt(0)).append(word.substring(1).toLowerCase(Locale.ROOT));
        }
        return text.toString();
    }
}
