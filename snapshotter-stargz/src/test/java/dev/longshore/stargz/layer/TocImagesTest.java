package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.estargz.Annotations;
import dev.longshore.estargz.Footer;
import dev.longshore.estargz.TocVerification;
import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.layer.Resolved.Lazy;
import dev.longshore.stargz.layer.Resolved.Ordinary;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Layers whose table of contents is in another image. */
class TocImagesTest {

    private static final LayerSettings SETTINGS =
            new LayerSettings(false, Duration.ofSeconds(20), Duration.ofSeconds(3), true, 0, false);

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private final byte[] content = new byte[300_000];

    /** What the registry has, by its path; what is a manifest is of that type. */
    private final Map<String, byte[]> served = new HashMap<>();

    private final Map<String, String> types = new HashMap<>();
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private byte[] layer = new byte[0];
    private byte[] table = new byte[0];
    private String promised = "";
    private String host = "";

    @BeforeEach
    void serve() throws IOException {
        new Random(1).nextBytes(content);
        try (ServedBlob whole = new ServedBlob(folder, Map.of("file", content), List.of())) {
            byte[] blob = whole.bytes();
            Footer footer = Footer.parse(
                            Arrays.copyOfRange(blob, blob.length - Footer.MAX_BYTES, blob.length), blob.length)
                    .orElseThrow();
            int end = (int) footer.tocOffset();
            layer = join(Arrays.copyOf(blob, end), externalFooter());
            table = Arrays.copyOfRange(blob, end, end + (int) footer.tocLength());
            promised = whole.labels().getOrDefault(Annotations.TOC_DIGEST, "");
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/v2/app/", this::answer);
        server.start();
        open.add(() -> server.stop(0));
        host = "127.0.0.1:" + server.getAddress().getPort();
        served.put("blobs/" + Digest.sha256(layer), layer);
    }

    @AfterEach
    void close() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    /** An empty member of gzip whose extra field says where the table is not. */
    private static byte[] externalFooter() {
        byte[] magic = "STARGZEXTERNALTOC".getBytes(StandardCharsets.US_ASCII);
        return join(
                new byte[] {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, (byte) 255, 21, 0, 'S', 'G', 17, 0},
                magic,
                new byte[] {1, 0, 0, (byte) 0xff, (byte) 0xff, 0, 0, 0, 0, 0, 0, 0, 0});
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath().substring("/v2/app/".length());
            asked.add(path);
            byte[] bytes = served.get(path);
            if (bytes == null) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            exchange.getResponseHeaders().set("Content-Type", types.getOrDefault(path, "application/octet-stream"));
            String range = exchange.getRequestHeaders().getFirst("Range");
            if (range == null) {
                exchange.sendResponseHeaders(200, bytes.length);
                exchange.getResponseBody().write(bytes);
                return;
            }
            String[] ends = range.replace("bytes=", "").split("-", 2);
            int begin = ends[0].isEmpty()
                    ? Math.max(0, bytes.length - Integer.parseInt(ends[1]))
                    : Integer.parseInt(ends[0]);
            int end = ends[0].isEmpty() ? bytes.length : Integer.parseInt(ends[1]) + 1;
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes %d-%d/%d".formatted(begin, end - 1, bytes.length));
            exchange.sendResponseHeaders(206, end - begin);
            exchange.getResponseBody().write(bytes, begin, end - begin);
        }
    }

    private static String descriptor(String type, byte[] bytes, String more) {
        return "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d%s}"
                .formatted(type, Digest.sha256(bytes), bytes.length, more);
    }

    /** An image with the table of a layer, by its digest and as {@code name}. */
    private byte[] publish(String name, Digest ofLayer) {
        byte[] config = "{}".getBytes(StandardCharsets.UTF_8);
        byte[] manifest = "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s,%s]}"
                .formatted(
                        MediaTypes.OCI_MANIFEST,
                        descriptor(MediaTypes.OCI_CONFIG, config, ""),
                        descriptor(MediaTypes.OCI_LAYER_GZIP, config, ""),
                        descriptor(
                                MediaTypes.OCI_LAYER_GZIP,
                                table,
                                ",\"annotations\":{\"containerd.io/snapshot/stargz/layer.digest\":\"%s\"}"
                                        .formatted(ofLayer)))
                .getBytes(StandardCharsets.UTF_8);
        serve(name, MediaTypes.OCI_MANIFEST, manifest);
        served.put("blobs/" + Digest.sha256(table), table);
        return manifest;
    }

    private void serve(String name, String type, byte[] manifest) {
        for (String path : List.of("manifests/" + name, "manifests/" + Digest.sha256(manifest))) {
            served.put(path, manifest);
            types.put(path, type);
        }
    }

    private Resolved resolve(String image) throws IOException, InterruptedException {
        Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);
        open.add(registry);
        Layers layers = new Layers(
                folder.resolve("layers"),
                new BlobSources(registry, List.of()),
                SETTINGS,
                new ChunkCache(1L << 30),
                new Traffic(),
                Optional.empty());
        open.add(layers);
        Map<String, String> annotations = Map.of(Annotations.TOC_DIGEST, promised);
        return layers.resolve(
                CallContext.withoutNamespace(Duration.ofMinutes(1)),
                new LayerSource(
                        ImageName.parse(image),
                        Digest.sha256(layer),
                        List.of(),
                        TocVerification.of(annotations),
                        annotations,
                        OptionalLong.empty()));
    }

    private void isRead(String image) throws Exception {
        Resolved resolved = resolve(image);
        assertThat(resolved).isInstanceOf(Lazy.class);
        Layer read = ((Lazy) resolved).layer();
        ByteBuffer to = ByteBuffer.allocate(content.length);
        read.content().read(read.index().lookup(LayerIndex.ROOT, "file".getBytes(StandardCharsets.UTF_8)), 0, to);
        assertThat(to.array()).isEqualTo(content);
    }

    private void isOrdinary(String image, String... reasons) throws Exception {
        Resolved resolved = resolve(image);
        assertThat(resolved).isInstanceOf(Ordinary.class);
        assertThat(((Ordinary) resolved).reason()).contains(reasons);
    }

    @Test
    void tableIsReadFromTheImageThatIsNamedAfterTheLayers() throws Exception {
        publish("v1-esgztoc", Digest.sha256(layer));
        isRead(host + "/app:v1");
    }

    @Test
    void tagCountsWhereADigestIsNamedToo() throws Exception {
        publish("v1-esgztoc", Digest.sha256(layer));
        isRead(host + "/app:v1@" + Digest.sha256(content));
    }

    @Test
    void tableMayBeInOneOfSeveralManifests() throws Exception {
        byte[] other = publish("other", Digest.sha256(content));
        byte[] right = publish("right", Digest.sha256(layer));
        byte[] index = "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s,%s]}"
                .formatted(
                        MediaTypes.OCI_INDEX,
                        descriptor(MediaTypes.OCI_MANIFEST, other, ""),
                        descriptor(MediaTypes.OCI_MANIFEST, right, ""))
                .getBytes(StandardCharsets.UTF_8);
        serve("v1-esgztoc", MediaTypes.OCI_INDEX, index);
        isRead(host + "/app:v1");
    }

    @Test
    void imageWithTablesThatIsNotThereIsNamed() throws Exception {
        isOrdinary(host + "/app:v1", "in an image of its own", host + "/app:v1-esgztoc", "not there");
    }

    @Test
    void tableThatIsNotInTheImageIsMissed() throws Exception {
        publish("v1-esgztoc", Digest.sha256(content));
        isOrdinary(
                host + "/app:v1",
                "app:v1-esgztoc has no table",
                Digest.sha256(layer).toString());
    }

    @Test
    void imageWithoutATagHasNoImageOfTables() throws Exception {
        isOrdinary(host + "/app@" + Digest.sha256(content), "has no tag");
    }

    @Test
    void tableOfAnotherLayerIsRefused() throws Exception {
        promised = Digest.sha256(content).toString();
        publish("v1-esgztoc", Digest.sha256(layer));
        isOrdinary(host + "/app:v1", "not the one that the image names");
    }

    @Test
    void manifestWithOtherBytesIsRefused() throws Exception {
        byte[] manifest = publish("v1-esgztoc", Digest.sha256(layer));
        byte[] forged = manifest.clone();
        forged[forged.length - 2] = ' ';
        served.put("manifests/" + Digest.sha256(manifest), forged);
        isOrdinary(host + "/app:v1", "came with other bytes");
    }

    @Test
    void manifestThatNeverEndsIsRefused() throws Exception {
        byte[] endless = new byte[Registry.MAX_MANIFEST + 1];
        serve("v1-esgztoc", MediaTypes.OCI_MANIFEST, endless);
        isOrdinary(host + "/app:v1", "larger than");
        assertThat(asked).doesNotContain("manifests/" + Digest.sha256(endless));
    }
}
