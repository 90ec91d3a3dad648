package dev.longshore.testkit;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.proxy.ProxyContentStore;
import dev.longshore.transport.serve.ContentService;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** A content store seen through a socket, as the daemon sees one, all in one process. */
public final class ProxiedContentStore implements ContentStore {

    private final ContentStore backend;
    private final Path folder;
    private final UnixServer server;
    private final UnixChannels channels;
    private final ManagedChannel channel;
    private final ContentStore proxy;

    private ProxiedContentStore(ContentStore backend, Path folder, UnixServer server) {
        this.backend = backend;
        this.folder = folder;
        this.server = server;
        this.channels = new UnixChannels();
        this.channel = channels.open(socket(folder), List.of());
        this.proxy = new ProxyContentStore(channel);
    }

    /** Closing the answer closes {@code backend} too. */
    public static ContentStore over(ContentStore backend) throws IOException {
        Path folder = Files.createTempDirectory("proxied");
        UnixServer server =
                UnixServer.start(SocketFile.privateTo(socket(folder)), List.of(new ContentService(backend)), List.of());
        return new ProxiedContentStore(backend, folder, server);
    }

    private static Path socket(Path folder) {
        return folder.resolve("s");
    }

    @Override
    public ContentInfo info(CallContext context, Digest digest) {
        return proxy.info(context, digest);
    }

    @Override
    public ContentInfo update(CallContext context, ContentInfo info, List<String> fieldPaths) {
        return proxy.update(context, info, fieldPaths);
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<ContentInfo> sink) {
        proxy.list(context, filters, sink);
    }

    @Override
    public void delete(CallContext context, Digest digest) {
        proxy.delete(context, digest);
    }

    @Override
    public ContentReader reader(CallContext context, Digest digest) {
        return proxy.reader(context, digest);
    }

    @Override
    public ContentReader partReader(CallContext context, Digest digest) {
        return proxy.partReader(context, digest);
    }

    @Override
    public IngestStatus status(CallContext context, String ref) {
        return proxy.status(context, ref);
    }

    @Override
    public List<IngestStatus> statuses(CallContext context, List<String> filters) {
        return proxy.statuses(context, filters);
    }

    @Override
    public void abort(CallContext context, String ref) {
        proxy.abort(context, ref);
    }

    @Override
    public ContentWriter writer(CallContext context, WriterRequest request) {
        return proxy.writer(context, request);
    }

    @Override
    public void close() {
        channel.shutdownNow();
        channels.close();
        server.close();
        backend.close();
        try {
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
