package dev.longshore.testkit;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.proxy.ProxyApplier;
import dev.longshore.transport.proxy.ProxyComparer;
import dev.longshore.transport.serve.DiffService;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** An applier and a comparer seen through a socket, as the daemon sees them, all in one process. */
public final class ProxiedDiffer implements Applier, Comparer, AutoCloseable {

    private final Path folder;
    private final UnixServer server;
    private final UnixChannels channels;
    private final ManagedChannel channel;
    private final Applier applier;
    private final Comparer comparer;

    private ProxiedDiffer(Path folder, UnixServer server) {
        this.folder = folder;
        this.server = server;
        this.channels = new UnixChannels();
        this.channel = channels.open(socket(folder), List.of());
        this.applier = new ProxyApplier(channel);
        this.comparer = new ProxyComparer(channel);
    }

    public static ProxiedDiffer over(Applier applier, Comparer comparer) throws IOException {
        Path folder = Files.createTempDirectory("proxied");
        DiffService service = new DiffService(() -> List.of(applier), () -> List.of(comparer), false);
        return new ProxiedDiffer(
                folder, UnixServer.start(SocketFile.privateTo(socket(folder)), List.of(service), List.of()));
    }

    private static Path socket(Path folder) {
        return folder.resolve("s");
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        return applier.apply(context, layer, mounts, payloads, syncFileSystem);
    }

    @Override
    public Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options) {
        return comparer.compare(context, lower, upper, options);
    }

    @Override
    public void close() throws IOException {
        channel.shutdownNow();
        channels.close();
        server.close();
        Files.deleteIfExists(folder);
    }
}
