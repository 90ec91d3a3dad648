package dev.longshore.stargz;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.LayerOptions;
import dev.longshore.estargz.LayerWriter;
import dev.longshore.estargz.WrittenLayer;
import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.stargz.layer.ChunkCache;
import dev.longshore.stargz.layer.Layers;
import dev.longshore.stargz.layer.Traffic;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Mounts and reads a layer of its own making once, so that the archive which is written of this run has all classes that the first
 * layer of a real one needs. For {@code longshore-aot} only.
 */
final class Rehearsal {

    private static final String NAME = "rehearsal";
    private static final CallContext CONTEXT = CallContext.of(NAME, Duration.ofMinutes(1));

    private Rehearsal() {}

    /**
     * Leaves nothing behind.
     *
     * @param scratch a folder that is not there
     */
    static void run(Path scratch, OverlayOptions options) throws IOException {
        Files.createDirectories(scratch);
        Path tar = scratch.resolve("layer.tar");
        Files.write(tar, archive());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        WrittenLayer layer;
        try (FileChannel channel = FileChannel.open(tar)) {
            layer = new LayerWriter(LayerFormat.ESTARGZ, new LayerOptions(4096, 1, List.of("file"), 1))
                    .write(channel, out);
        }
        byte[] blob = out.toByteArray();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> answer(exchange, blob));
        server.start();
        try (Registry registry = new Registry(new HostsDirectory(List.of(), true), Credentials.NONE)) {
            Map<String, String> labels = new HashMap<>(layer.annotations());
            labels.put("containerd.io/snapshot.ref", NAME);
            labels.put(
                    "containerd.io/snapshot/cri.image-ref",
                    "127.0.0.1:%d/rehearsal:1".formatted(server.getAddress().getPort()));
            labels.put("containerd.io/snapshot/cri.layer-digest", layer.digest().toString());
            read(scratch, options, registry, labels);
        } finally {
            server.stop(0);
        }
    }

    private static byte[] archive() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            for (String name : List.of("file", "other")) {
                byte[] content = new byte[20_000];
                tar.write(TarEntry.builder(EntryType.FILE, name)
                        .size(content.length)
                        .build());
                tar.content(content, 0, content.length);
                tar.endContent(content.length);
            }
        }
        return bytes.toByteArray();
    }

    private static void answer(HttpExchange exchange, byte[] blob) throws IOException {
        try (exchange) {
            String[] range = exchange.getRequestHeaders()
                    .getFirst("Range")
                    .replace("bytes=", "")
                    .split("-", 2);
            int begin = range[0].isEmpty()
                    ? Math.max(0, blob.length - Integer.parseInt(range[1]))
                    : Integer.parseInt(range[0]);
            int end = range[0].isEmpty() || range[1].isEmpty()
                    ? blob.length
                    : Math.min(blob.length, Integer.parseInt(range[1]) + 1);
            exchange.getResponseHeaders().set("Content-Range", "bytes %d-%d/%d".formatted(begin, end - 1, blob.length));
            exchange.sendResponseHeaders(206, end - begin);
            exchange.getResponseBody().write(Arrays.copyOfRange(blob, begin, end));
        }
    }

    private static void read(Path scratch, OverlayOptions options, Registry registry, Map<String, String> labels)
            throws IOException {
        Path root = scratch.resolve("root");
        Layers layers = new Layers(
                new StargzLayout(root).layers(),
                registry,
                Config.DEFAULT_LAYERS,
                new ChunkCache(1 << 20),
                new Traffic(),
                Optional.empty());
        try (StargzSnapshotter snapshotter =
                StargzSnapshotter.open(root, options, layers, Duration.ofSeconds(10), Clock.systemUTC())) {
            try {
                snapshotter.prepare(CONTEXT, "extract", "", labels);
            } catch (AlreadyExistsException e) {
                Mounts.withTempMount(
                        snapshotter.prepare(CONTEXT, "container", NAME, Map.of()),
                        scratch,
                        files -> Files.readAllBytes(files.resolve("other")));
                snapshotter.remove(CONTEXT, "container");
                snapshotter.remove(CONTEXT, NAME);
            }
            snapshotter.cleanup(CONTEXT);
        } finally {
            delete(scratch);
        }
    }

    private static void delete(Path folder) throws IOException {
        List<Path> below;
        try (Stream<Path> walk = Files.walk(folder)) {
            below = walk.toList();
        }
        for (Path path : below.reversed()) {
            Files.delete(path);
        }
    }
}
