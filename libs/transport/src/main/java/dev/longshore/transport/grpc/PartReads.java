package dev.longshore.transport.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;

/**
 * Reads of content by somebody who verifies each part of it: the header {@code longshore-part-read}, which other servers overlook.
 *
 * @see dev.longshore.sdk.content.ContentStore#partReader
 */
public final class PartReads {

    private static final Metadata.Key<String> HEADER =
            Metadata.Key.of("longshore-part-read", Metadata.ASCII_STRING_MARSHALLER);

    private static final String YES = "1";

    private static final Context.Key<Boolean> KEY = Context.keyWithDefault("part-read", false);

    private PartReads() {}

    /** The same stub, sending the header with every call. */
    public static <S extends AbstractStub<S>> S send(S stub) {
        Metadata headers = new Metadata();
        headers.put(HEADER, YES);
        return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    }

    /** Whether the call that this thread serves has the header. */
    public static boolean current() {
        return KEY.get();
    }

    static Context read(Metadata headers, Context context) {
        return context.withValue(KEY, YES.equals(headers.get(HEADER)));
    }
}
