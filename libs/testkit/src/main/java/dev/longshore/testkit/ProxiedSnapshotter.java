package dev.longshore.testkit;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.proxy.ProxySnapshotter;
import dev.longshore.transport.serve.SnapshotsService;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** A snapshotter seen through a socket, as the daemon sees one, all in one process. */
public final class ProxiedSnapshotter implements Snapshotter {

    private final Snapshotter backend;
    private final Path folder;
    private final UnixServer server;
    private final UnixChannels channels;
    private final ManagedChannel channel;
    private final Snapshotter proxy;

    private ProxiedSnapshotter(Snapshotter backend, Path folder, UnixServer server) {
        this.backend = backend;
        this.folder = folder;
        this.server = server;
        this.channels = new UnixChannels();
        this.channel = channels.open(socket(folder), List.of());
        this.proxy = new ProxySnapshotter(channel, "proxied");
    }

    /** Closing the answer closes {@code backend} too. */
    public static Snapshotter over(Snapshotter backend) throws IOException {
        Path folder = Files.createTempDirectory("proxied");
        UnixServer server = UnixServer.start(
                SocketFile.privateTo(socket(folder)), List.of(new SnapshotsService(name -> backend)), List.of());
        return new ProxiedSnapshotter(backend, folder, server);
    }

    private static Path socket(Path folder) {
        return folder.resolve("s");
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return proxy.stat(context, key);
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        return proxy.update(context, info, fieldPaths);
    }

    @Override
    public Usage usage(CallContext context, String key) {
        return proxy.usage(context, key);
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return proxy.mounts(context, key);
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return proxy.prepare(context, key, parent, labels);
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return proxy.view(context, key, parent, labels);
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        proxy.commit(context, name, key, parent, labels);
    }

    @Override
    public void remove(CallContext context, String key) {
        proxy.remove(context, key);
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        proxy.list(context, filters, sink);
    }

    @Override
    public void cleanup(CallContext context) {
        proxy.cleanup(context);
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
