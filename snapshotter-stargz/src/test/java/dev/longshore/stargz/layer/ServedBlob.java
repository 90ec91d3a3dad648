package dev.longshore.stargz.layer;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.LayerOptions;
import dev.longshore.estargz.LayerWriter;
import dev.longshore.estargz.TocVerification;
import dev.longshore.estargz.WrittenLayer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A registry with one layer of files of random bytes, which can be made to misbehave. */
public final class ServedBlob implements AutoCloseable {

    /** Bytes of a chunk. */
    static final int CHUNK = 64 << 10;

    private static final Pattern SEVERAL = Pattern.compile("bytes=\\d+-\\d+(?:,\\d+-\\d+)+");

    private static final Pattern RANGE = Pattern.compile("bytes=(\\d*)-(\\d*)");

    /** What it does with a request. */
    public enum Mood {
        GOOD,
        /** Sends all, whatever was asked for. */
        NO_RANGES,
        /** Sends all if several ranges are asked for. */
        SINGLE_RANGES,
        /** Ends the first answer with several ranges in its middle, and is good then. */
        BROKEN_ONCE,
        /** Answers with the status that it was told to. */
        REFUSING,
        /** Ends each body in its middle. */
        BROKEN,
        /** Sends other bytes than it should. */
        FORGED
    }

    private final HttpServer server;
    private final byte[] blob;
    private final WrittenLayer layer;
    private final List<String> ranges = new CopyOnWriteArrayList<>();
    private volatile Mood mood = Mood.GOOD;
    private volatile int refusal = 503;
    private final AtomicReference<CountDownLatch> held = new AtomicReference<>(new CountDownLatch(0));

    /** @param prioritized paths of files that are needed first */
    public ServedBlob(Path folder, Map<String, byte[]> files, List<String> prioritized) throws IOException {
        Path tar = folder.resolve("layer.tar");
        Files.write(tar, archive(files));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (FileChannel archive = FileChannel.open(tar)) {
            layer = new LayerWriter(LayerFormat.ESTARGZ, new LayerOptions(CHUNK, 1, prioritized, 1))
                    .write(archive, out);
        }
        blob = out.toByteArray();
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", this::answer);
        server.start();
    }

    private static byte[] archive(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                tar.write(TarEntry.builder(EntryType.FILE, file.getKey())
                        .size(file.getValue().length)
                        .build());
                tar.content(file.getValue(), 0, file.getValue().length);
                tar.endContent(file.getValue().length);
            }
        }
        return bytes.toByteArray();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String range = exchange.getRequestHeaders().getFirst("Range");
            CountDownLatch hold = held.getAndSet(new CountDownLatch(0));
            ranges.add(String.valueOf(range));
            await(hold);
            Matcher matcher = RANGE.matcher(String.valueOf(range));
            if (mood == Mood.REFUSING) {
                exchange.sendResponseHeaders(refusal, -1);
            } else if (mood != Mood.NO_RANGES
                    && mood != Mood.SINGLE_RANGES
                    && SEVERAL.matcher(String.valueOf(range)).matches()) {
                sendSeveral(
                        exchange,
                        String.valueOf(range).substring("bytes=".length()).split(",", -1));
            } else if (mood == Mood.NO_RANGES || !matcher.matches()) {
                send(exchange, 200, 0, blob.length);
            } else {
                int begin = matcher.group(1).isEmpty()
                        ? Math.max(0, blob.length - Integer.parseInt(matcher.group(2)))
                        : Integer.parseInt(matcher.group(1));
                int end = matcher.group(1).isEmpty() || matcher.group(2).isEmpty()
                        ? blob.length
                        : Integer.parseInt(matcher.group(2)) + 1;
                exchange.getResponseHeaders()
                        .set("Content-Range", "bytes %d-%d/%d".formatted(begin, end - 1, blob.length));
                send(exchange, 206, begin, end);
            }
        }
    }

    private static void await(CountDownLatch hold) throws IOException {
        try {
            hold.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private void sendSeveral(HttpExchange exchange, String[] wanted) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (String range : wanted) {
            String[] ends = range.split("-", 2);
            body.writeBytes("\r\n--part\r\nContent-Range: bytes %s/%d\r\n\r\n"
                    .formatted(range, blob.length)
                    .getBytes(StandardCharsets.US_ASCII));
            body.writeBytes(Arrays.copyOfRange(blob, Integer.parseInt(ends[0]), Integer.parseInt(ends[1]) + 1));
        }
        body.writeBytes("\r\n--part--\r\n".getBytes(StandardCharsets.US_ASCII));
        exchange.getResponseHeaders().set("Content-Type", "multipart/byteranges; boundary=part");
        exchange.sendResponseHeaders(206, body.size());
        boolean broken = mood == Mood.BROKEN_ONCE;
        mood = broken ? Mood.GOOD : mood;
        exchange.getResponseBody().write(body.toByteArray(), 0, broken ? body.size() / 2 : body.size());
        exchange.getResponseBody().flush();
    }

    private void send(HttpExchange exchange, int status, int begin, int end) throws IOException {
        exchange.sendResponseHeaders(status, end - begin);
        byte[] bytes = Arrays.copyOfRange(blob, begin, end);
        if (mood == Mood.FORGED) {
            for (int i = 0; i < bytes.length; i += 100) {
                bytes[i] ^= 1;
            }
        }
        exchange.getResponseBody().write(bytes, 0, mood == Mood.BROKEN ? (bytes.length + 1) / 2 : bytes.length);
        exchange.getResponseBody().flush();
    }

    public void be(Mood next) {
        mood = next;
    }

    /** Has the next request, and none behind it, wait for an answer until the latch is counted down. */
    CountDownLatch holdNext() {
        CountDownLatch hold = new CountDownLatch(1);
        held.set(hold);
        return hold;
    }

    /** Refuses everything with that status. */
    void refuse(int status) {
        refusal = status;
        mood = Mood.REFUSING;
    }

    /** The labels that a client gives with this layer. */
    public Map<String, String> labels() {
        Map<String, String> labels = new HashMap<>(layer.annotations());
        labels.put("containerd.io/snapshot/cri.image-ref", reference().toString());
        labels.put("containerd.io/snapshot/cri.layer-digest", layer.digest().toString());
        return labels;
    }

    /** The ranges that were asked for so far. */
    List<String> ranges() {
        return ranges;
    }

    public int size() {
        return blob.length;
    }

    byte[] bytes() {
        return blob.clone();
    }

    /** The same layer, of an image that no registry has. */
    LayerSource ipfsSource() {
        return source(
                ImageName.parse("ipfs://bafkreib5vlyjtkoz3d5gpzwbpqtyvpxhl4nlpqvvkgaalvbbn2sk7jiolm"),
                layer.annotations());
    }

    public Reference reference() {
        return Reference.parse(
                "127.0.0.1:%d/app:v1".formatted(server.getAddress().getPort()));
    }

    public LayerSource source() {
        return source(layer.annotations());
    }

    LayerSource source(Map<String, String> annotations) {
        return source(ImageName.parse(reference().toString()), annotations);
    }

    private LayerSource source(ImageName image, Map<String, String> annotations) {
        return new LayerSource(
                image, layer.digest(), List.of(), TocVerification.of(annotations), annotations, OptionalLong.empty());
    }

    /** The same blob as if it was another layer of the image: no digest of it is ever looked at. */
    LayerSource other(Digest digest, Map<String, String> annotations) {
        return new LayerSource(
                ImageName.parse(reference().toString()),
                digest,
                List.of(),
                TocVerification.of(annotations),
                annotations,
                OptionalLong.empty());
    }

    /** This layer, of an image that has others, too. */
    LayerSource source(List<Digest> neighbors) {
        LayerSource alone = source();
        return new LayerSource(
                alone.reference(), alone.digest(), neighbors, alone.toc(), alone.annotations(), alone.prefetch());
    }

    Map<String, String> annotations() {
        return layer.annotations();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
