package dev.longshore.transport.grpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Counts the calls that a server has dealt with, and times them, under the names that containerd's dashboards use:
 * {@code grpc_server_started_total}, {@code grpc_server_handled_total} and {@code grpc_server_handling_seconds}. Only methods
 * that are served get here, so the tags are bounded.
 */
public final class ServerMetrics implements ServerInterceptor {

    private final MeterRegistry registry;

    public ServerMetrics(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        MethodDescriptor<Q, A> method = call.getMethodDescriptor();
        String[] tags = {
            "grpc_type", type(method.getType()),
            "grpc_service", String.valueOf(method.getServiceName()),
            "grpc_method", String.valueOf(method.getBareMethodName())
        };
        registry.counter("grpc.server.started", tags).increment();
        Handling handling = new Handling(tags, System.nanoTime(), new AtomicBoolean());
        ServerCall.Listener<Q> listener = next.startCall(
                new SimpleForwardingServerCall<>(call) {
                    @Override
                    public void close(Status status, Metadata trailers) {
                        end(handling, status.getCode());
                        super.close(status, trailers);
                    }
                },
                headers);
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onCancel() {
                end(handling, Status.Code.CANCELLED);
                super.onCancel();
            }
        };
    }

    /** One call: it may be answered and given up at the same time, and counts once. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Handling(String[] tags, long start, AtomicBoolean ended) {}

    private void end(Handling call, Status.Code code) {
        if (call.ended().getAndSet(true)) {
            return;
        }
        registry.timer("grpc.server.handling", call.tags())
                .record(System.nanoTime() - call.start(), TimeUnit.NANOSECONDS);
        registry.counter("grpc.server.handled", with(call.tags(), "grpc_code", code(code)))
                .increment();
    }

    private static String[] with(String[] tags, String key, String value) {
        String[] more = Arrays.copyOf(tags, tags.length + 2);
        more[tags.length] = key;
        more[tags.length + 1] = value;
        return more;
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
