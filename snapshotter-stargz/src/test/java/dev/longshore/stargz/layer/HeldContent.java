package dev.longshore.stargz.layer;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.proxy.PluginConnection;
import dev.longshore.transport.serve.ContentService;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A content store with one blob at most, behind a socket, which can be made to misbehave as no real one would. */
final class HeldContent implements ContentStore {

    private final Path socket;
    private final UnixChannels channels = new UnixChannels();
    private final PluginConnection connection;
    private final AtomicInteger reads = new AtomicInteger();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile Optional<byte[]> blob = Optional.empty();
    private volatile boolean silent;
    private Optional<UnixServer> server = Optional.empty();

    HeldContent(Path socket) throws IOException {
        this.socket = socket;
        this.connection = new PluginConnection(channels, socket);
        serve();
    }

    /** Has the process that serves it come back. */
    void serve() throws IOException {
        server = Optional.of(
                UnixServer.start(SocketFile.privateTo(socket), List.of(new ContentService(this)), List.of()));
    }

    /** Has the process that serves it end. */
    void stop() {
        server.ifPresent(UnixServer::close);
        server = Optional.empty();
    }

    void hold(byte[] bytes) {
        blob = Optional.of(bytes);
    }

    void lose() {
        blob = Optional.empty();
    }

    /** Answers no read from now on. */
    void beSilent() {
        silent = true;
    }

    /** Reads so far. */
    int reads() {
        return reads.get();
    }

    ContentSource source(Duration timeout) {
        return new ContentSource("held", connection.contentStore(), connection::check, Optional.empty(), timeout);
    }

    private byte[] held(Digest digest) {
        return blob.orElseThrow(() -> new NotFoundException("content digest " + digest));
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return new ContentInfo(digest, held(digest).length, Instant.EPOCH, Instant.EPOCH, Map.of());
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        throw new UnimplementedException("this is for those who verify what they read");
    }

    @Override
    public ContentReader partReader(CallContext context, Digest digest) {
        byte[] bytes = held(digest);
        return new ContentReader() {
            @Override
            public long size() {
                return bytes.length;
            }

            @Override
            public int read(ByteBuffer buffer, long offset) {
                reads.incrementAndGet();
                if (silent) {
                    awaitEnd();
                }
                int count = (int) Math.min(buffer.remaining(), bytes.length - offset);
                buffer.put(bytes, (int) offset, count);
                return count;
            }

            @Override
            public void close() {}
        };
    }

    private void awaitEnd() {
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        throw new UnimplementedException("update");
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        throw new UnimplementedException("list");
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        throw new UnimplementedException("delete");
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        throw new UnimplementedException("status");
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        throw new UnimplementedException("statuses");
    }

    @Override
    public void abort(CallContext context, String ref) {
        throw new UnimplementedException("abort");
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        throw new UnimplementedException("writer");
    }

    @Override
    public void close() {
        closed.countDown();
        connection.close();
        channels.close();
        stop();
    }
}
