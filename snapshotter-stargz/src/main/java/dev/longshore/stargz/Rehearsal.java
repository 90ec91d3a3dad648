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
import dev.longshore.stargz.fuse.DryRun;
import dev.longshore.stargz.fuse.FuseOptions;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.BlobSources;
import dev.longshore.stargz.layer.ChunkCache;
import dev.longshore.stargz.layer.Layer;
import dev.longshore.stargz.layer.LayerSource;
import dev.longshore.stargz.layer.Layers;
import dev.longshore.stargz.layer.Resolved;
import dev.longshore.stargz.layer.Traffic;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
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
 * Reads a layer of its own making. A JVM that has just started runs every method some hundred times before it compiles it: the first image
 * would be pulled at half the speed of the second. It is served by this program to itself, over the loopback interface.
 */
final class Rehearsal {

    private static final String NAME = "rehearsal";
    private static final CallContext CONTEXT = CallContext.of(NAME, Duration.ofMinutes(1));

    /** Enough for the JVM to compile what is done for each of them. */
    private static final int FOLDERS = 10;

    private static final int FILES = 50;
    private static final int FILE_SIZE = 600;

    /** For what is done once for a layer, or for a request. */
    private static final int ROUNDS = 5;

    private Rehearsal() {}

    /**
     * Mounts a layer and reads from it, so that the archive which is written of this run has all classes that the first layer of a real
     * one needs: for {@code longshore-aot}. Leaves nothing behind.
     *
     * @param scratch a folder that is not there
     */
    static void mount(Path scratch, OverlayOptions options) throws IOException {
        rehearse(scratch, (registry, labels) -> mount(scratch, options, registry, labels));
    }

    /**
     * Reads all of a layer, without a mount: what is left behind if this process is killed meanwhile is files.
     *
     * @param scratch what an earlier process has left there is removed; nothing is left
     */
    static void read(Path scratch) throws IOException {
        delete(scratch);
        rehearse(scratch, (registry, labels) -> {
            for (int round = 0; round < ROUNDS; round++) {
                read(scratch, registry, labels);
            }
        });
    }

    private interface Play {
        void with(Registry registry, Map<String, String> labels) throws IOException, InterruptedException;
    }

    private static void rehearse(Path scratch, Play play) throws IOException {
        Files.createDirectories(scratch);
        try {
            Path tar = scratch.resolve("layer.tar");
            Files.write(tar, archive());
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            WrittenLayer layer;
            try (FileChannel channel = FileChannel.open(tar)) {
                layer = new LayerWriter(LayerFormat.ESTARGZ, new LayerOptions(4096, 1, List.of("0/0"), 1))
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
                labels.put(
                        "containerd.io/snapshot/cri.layer-digest",
                        layer.digest().toString());
                play.with(registry, labels);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (InterruptedIOException) new InterruptedIOException("the rehearsal was interrupted").initCause(e);
            } finally {
                server.stop(0);
            }
        } finally {
            delete(scratch);
        }
    }

    private static byte[] archive() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            for (int folder = 0; folder < FOLDERS; folder++) {
                for (int file = 0; file < FILES; file++) {
                    // Of several chunks now and then.
                    byte[] content = new byte[file == 0 ? 20_000 : FILE_SIZE];
                    tar.write(TarEntry.builder(EntryType.FILE, folder + "/" + file)
                            .size(content.length)
                            .build());
                    tar.content(content, 0, content.length);
                    tar.endContent(content.length);
                }
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

    private static Layers layers(Path root, Registry registry) throws IOException {
        return new Layers(
                new StargzLayout(root).layers(),
                new BlobSources(registry, List.of()),
                Config.DEFAULT_LAYERS,
                new ChunkCache(1 << 20),
                new Traffic(),
                Optional.empty());
    }

    private static void read(Path scratch, Registry registry, Map<String, String> labels)
            throws IOException, InterruptedException {
        try (Layers layers = layers(scratch.resolve("root"), registry)) {
            LayerSource source = LayerSource.of(labels).orElseThrow();
            if (!(layers.resolve(CONTEXT, source) instanceof Resolved.Lazy(Layer layer))) {
                throw new IOException("the layer of the rehearsal is not read lazily");
            }
            LayerIndex index = layer.index();
            DryRun.walk(index, FuseOptions.of(NAME));
            for (int inode = 1; inode <= index.inodes(); inode++) {
                if (index.isRegular(inode)) {
                    ByteBuffer to = ByteBuffer.allocateDirect(Math.toIntExact(index.size(inode)));
                    if (!layer.content().readLocal(inode, 0, to)) {
                        layer.content().read(inode, 0, to);
                    }
                }
            }
            layers.remove(layer.digest());
        }
    }

    private static void mount(Path scratch, OverlayOptions options, Registry registry, Map<String, String> labels)
            throws IOException {
        Path root = scratch.resolve("root");
        try (StargzSnapshotter snapshotter = StargzSnapshotter.open(
                root, options, layers(root, registry), Duration.ofSeconds(10), Clock.systemUTC())) {
            try {
                snapshotter.prepare(CONTEXT, "extract", "", labels);
            } catch (AlreadyExistsException e) {
                Mounts.withTempMount(
                        snapshotter.prepare(CONTEXT, "container", NAME, Map.of()),
                        scratch,
                        files -> Files.readAllBytes(files.resolve("1/1")));
                snapshotter.remove(CONTEXT, "container");
                snapshotter.remove(CONTEXT, NAME);
            }
            snapshotter.cleanup(CONTEXT);
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> below;
        try (Stream<Path> walk = Files.walk(folder)) {
            below = walk.toList();
        }
        for (Path path : below.reversed()) {
            Files.delete(path);
        }
    }
}
