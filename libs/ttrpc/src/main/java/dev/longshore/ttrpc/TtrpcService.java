package dev.longshore.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A service that a {@link TtrpcServer} serves: unary methods by name. */
public final class TtrpcService {

    /** A method. Runs on a thread of its own and may block. */
    @FunctionalInterface
    public interface Method<Q extends MessageLite, A extends MessageLite> {

        /** Answers, or throws an error class. */
        A call(CallContext context, Q request) throws Exception;
    }

    @FunctionalInterface
    interface Handler {

        MessageLite handle(CallContext context, ByteString payload) throws Exception;
    }

    private final String name;
    private final Map<String, Handler> methods = new HashMap<>();

    /** @param name with its package, e.g. {@code containerd.task.v2.Task} */
    public TtrpcService(String name) {
        this.name = name;
    }

    /** Adds a method. */
    public <Q extends MessageLite, A extends MessageLite> TtrpcService unary(
            String method, Parser<Q> requests, Method<Q, A> implementation) {
        methods.put(method, (context, payload) -> {
            Q request;
            try {
                request = requests.parseFrom(payload);
            } catch (InvalidProtocolBufferException e) {
                throw new InvalidArgumentException("request of %s/%s cannot be read".formatted(name, method), e);
            }
            return implementation.call(context, request);
        });
        return this;
    }

    String name() {
        return name;
    }

    @Nullable
    Handler method(String method) {
        return methods.get(method);
    }
}
